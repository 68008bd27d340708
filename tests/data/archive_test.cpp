// Archives that Python's tarfile and zipfile write, whole, cut, and with what is refused.

#include "data/archive.h"

#include "data/source_text.h"
#include "data/written_files.h"
#include "lockstep/core/files.h"

namespace lockstep {

namespace {

constexpr int kMembers = 61;

std::string content_of(int i) {
  std::string content;
  for (int k = 0; k < 13 * i % 300; ++k) content += static_cast<char>((31 * i + 7 * k) % 251);
  return content;
}

std::string name_of(int i) {
  std::string part = "train";
  if (i % 3 == 1) part = "größe";
  if (i % 3 == 2) {
    part.clear();
    for (int k = 0; k < 40; ++k) part += "long";
  }
  return fmt::format("{}/{}/{:04}.bin", part, i % 7, i);
}

// Of all tests; the script writes them once.
const samples::Folder& files() {
  static const samples::Folder folder;
  static const bool written = [] {
    samples::run_script("write_archives.py", folder.path(""));
    return true;
  }();
  EXPECT_TRUE(written);
  return folder;
}

void expect_members(const std::string& path) {
  const std::vector<ArchiveMember> members = list_archive(path);
  ASSERT_EQ(members.size(), static_cast<std::size_t>(kMembers)) << path;
  for (int i = 0; i < kMembers; ++i) {
    ASSERT_EQ(members[static_cast<std::size_t>(i)].name, name_of(i)) << path;
    ASSERT_EQ(members[static_cast<std::size_t>(i)].bytes, content_of(i).size()) << path;
  }
  for (const Range range : {Range{0, kMembers}, {20, 41}, {kMembers - 1, kMembers}, {5, 5}}) {
    std::int64_t next = range.first;
    read_archive(path, members, range, [&](std::int64_t index, std::span<const std::byte> content) {
      ASSERT_EQ(index, next++) << path;
      const std::string seen(reinterpret_cast<const char*>(content.data()), content.size());
      ASSERT_EQ(seen, content_of(static_cast<int>(index))) << path;
    });
    ASSERT_EQ(next, range.last) << path;
  }
}

std::string list_error(const std::string& path) {
  return samples::error_of([&] { list_archive(path); });
}

// Reads all of it as well.
std::string read_error(const std::string& path) {
  return samples::error_of([&] {
    const auto members = list_archive(path);
    read_archive(path, members, {0, static_cast<std::int64_t>(members.size())},
                 [](std::int64_t, std::span<const std::byte>) {});
  });
}

TEST(Archive, MembersOfEachKind) {
  for (const char* name : {"ustar.tar", "pax.tar", "packed.tar.gz", "packed.tgz", "packed.tar.bz2",
                           "packed.tar.xz", "deflated.zip", "stored.zip"}) {
    expect_members(files().path(name));
  }
}

// A frame of Zstandard (RFC 8878) of one segment, its blocks as they are.
std::string zstd_frame(const std::string& content) {
  constexpr std::size_t kMostBlockBytes = 100'000;
  std::string frame = "\x28\xB5\x2F\xFD\xE0";
  const auto append = [&](std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) frame += static_cast<char>(value >> (8 * i) & 0xFF);
  };
  append(content.size(), 8);
  for (std::size_t at = 0; at < content.size(); at += kMostBlockBytes) {
    const std::string block = content.substr(at, kMostBlockBytes);
    append(block.size() << 3U | (at + block.size() == content.size() ? 1U : 0U), 3);
    frame += block;
  }
  return frame;
}

TEST(Archive, PackedByZstd) {
  const std::string path = files().path("packed.tar.zst");
  std::ofstream(path, std::ios::binary) << zstd_frame(read_file(files().path("pax.tar")));
  expect_members(path);
}

TEST(Archive, WhatIsRefused) {
  const auto expect = [&](const char* file, const std::string& member, const std::string& what) {
    EXPECT_EQ(list_error(files().path(file)), files().path(file) + ":" + member + what);
  };
  expect("symbolic.tar", "a/b.png", ": is a symbolic link; expected a regular file");
  expect("hard.tar", "a/b.png", ": is a hard link; expected a regular file");
  expect("device.tar", "a/b.png", ": is a device; expected a regular file");
  expect("pipe.tar", "a/b.png", ": is a pipe; expected a regular file");
  const std::string root = ": expected a name below the archive's root, without \"..\"";
  expect("absolute.tar", "/a/b.png", root);
  expect("climbs.tar", "a/../../b.png", root);
  expect("twice.tar", "a/a.png", ": occurs twice");
  expect("too_large.tar", "a/a.png", ": 209715200 bytes; expected at most 134217728");
  const std::string text = files().write("text.csv", samples::csv(3));
  EXPECT_EQ(list_error(text), text + ": cannot be read as an archive: Unrecognized archive format");
  EXPECT_NE(list_error(files().path("none.tar")).find("none.tar"), std::string::npos);
  EXPECT_TRUE(list_archive(files().path("empty.tar")).empty());
}

TEST(Archive, ASizeThatLiesTakesNoMemory) {
  const std::string path = files().path("lies.tar");
  const std::string error = samples::error_within(64u << 20, [&] {
    const std::vector<ArchiveMember> lie = {{"a/a.png", 100u << 20, 0}};
    read_archive(path, lie, {0, 1}, [](std::int64_t, std::span<const std::byte>) {});
  });
  EXPECT_EQ(error, path + ":a/a.png: damaged: Truncated tar archive");
  EXPECT_EQ(list_error(path).find(path + ":a/a.png: damaged: Truncated"), 0U);
}

TEST(Archive, ASizeOfAZipThatLiesTakesNoMemory) {
  const std::string path = files().path("lies.zip");
  const std::string error = samples::error_within(64u << 20, [&] {
    const auto comm = connect_self();
    SourceText(*comm, path, "a.npy");
  });
  EXPECT_EQ(
      error,
      path + ":a.npy: damaged: it does not inflate to the size and CRC that the archive gives");
}

// Of a tar, behind the last member, one block of zeros must be left.
TEST(Archive, ACutOneIsNeverShorter) {
  for (const char* name : {"ustar.tar", "packed.tar.gz", "packed.tar.xz", "deflated.zip"}) {
    const std::string whole = read_file(files().path(name));
    const std::size_t step = std::string_view(name) == "ustar.tar" ? 512 : 211;
    std::size_t refused = 0;
    for (std::size_t bytes = 0; bytes < whole.size(); bytes += step) {
      const std::string cut = files().write("cut", whole.substr(0, bytes));
      if (read_error(cut).empty()) {
        EXPECT_EQ(list_archive(cut).size(), static_cast<std::size_t>(kMembers)) << name << bytes;
      } else {
        ++refused;
      }
    }
    EXPECT_GT(refused, whole.size() / step / 2) << name;
  }
}

TEST(Archive, DamageNamesTheMember) {
  std::string bytes = read_file(files().path("stored.zip"));
  const std::size_t at = bytes.find(content_of(20));
  ASSERT_NE(at, std::string::npos);
  bytes[at + 100] = static_cast<char>(bytes[at + 100] ^ 0x10);
  const std::string path = files().write("flipped.zip", bytes);
  EXPECT_EQ(read_error(path).find(path + ":" + name_of(20) + ": damaged: ZIP bad CRC"), 0u)
      << read_error(path);
}

TEST(Archive, OneThatHasChangedIsRefused) {
  auto members = list_archive(files().path("ustar.tar"));
  members[30].bytes += 1;
  EXPECT_EQ(samples::error_of([&] {
              read_archive(files().path("ustar.tar"), members, {30, 31},
                           [](std::int64_t, std::span<const std::byte>) {});
            }),
            files().path("ustar.tar") + ":" + name_of(30) +
                ": is not where it was; the archive has changed");
}

TEST(Archive, IsRecognizedByWhatItHolds) {
  for (const char* name : {"ustar.tar", "packed.tgz", "packed.tar.bz2", "packed.tar.xz",
                           "deflated.zip", "hard.tar", "lies.tar"}) {
    EXPECT_TRUE(is_archive(read_file(files().path(name)))) << name;
  }
  for (const std::string& file :
       {std::string(), samples::csv(30), read_file(files().path("text.csv.gz")),
        std::string("\x93NUMPY\x01\x00", 8), std::string("\0\0\x08\x03\0\0\0\x01", 8)}) {
    EXPECT_FALSE(is_archive(file));
  }
}

TEST(Archive, AStoredMemberIsSeenWhereItLies) {
  const std::string path = files().path("stored.zip");
  const MappedFile file(path);
  for (int i = 1; i < kMembers; ++i) {
    const auto bytes = stored_member(file.text(), path, name_of(i));
    ASSERT_TRUE(bytes.has_value() || content_of(i).empty()) << i;
    if (!bytes) continue;
    ASSERT_EQ(*bytes, content_of(i));
    ASSERT_GE(bytes->data(), file.text().data());
    ASSERT_LE(bytes->data() + bytes->size(), file.text().data() + file.text().size());
  }
  EXPECT_FALSE(stored_member(file.text(), path, "none"));
  const MappedFile deflated(files().path("deflated.zip"));
  EXPECT_FALSE(stored_member(deflated.text(), "", name_of(22)));
}

}  // namespace

}  // namespace lockstep
