// The reader of archives: a list has names of members once, none of which climbs, and each part
// of the archive gives what the whole gives.

#include "data/archive.h"

#include <vector>

#include "fuzz/fuzz.h"

namespace lockstep::fuzz {

namespace {

using Contents = std::vector<std::string>;

Contents read(const std::string& path, const std::vector<ArchiveMember>& members, Range range) {
  Contents contents;
  read_archive(path, members, range, [&](std::int64_t index, std::span<const std::byte> content) {
    const ArchiveMember& member = members[static_cast<std::size_t>(index)];
    if (content.size() != member.bytes) fail("a content of another size");
    contents.emplace_back(reinterpret_cast<const char*>(content.data()), content.size());
  });
  return contents;
}

void check_name(const std::string& name) {
  if (name.empty() || name[0] == '/' || name.find("//") != name.npos) fail("a bad name");
  for (const char* part : {"/../", "/./", "/.", "/__MACOSX/"}) {
    if (("/" + name + "/").find(part) != name.npos) fail("a name that does not count");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string path = scratch_file("archive", text_of(data, size));
  const auto members = value_of([&] { return list_archive(path); });
  if (!members) return 0;
  for (const ArchiveMember& member : *members) check_name(member.name);
  if (!is_archive(text_of(data, size))) fail("listed, but not recognized");
  const auto count = static_cast<std::int64_t>(members->size());
  const auto whole = value_of([&] { return read(path, *members, {0, count}); });
  if (!whole) return 0;
  Contents parts;
  for (int part = 0; part < 3; ++part) {
    const auto each = value_of([&] { return read(path, *members, share_of(count, 3, part)); });
    if (!each) fail("a part that cannot be read");
    parts.insert(parts.end(), each->begin(), each->end());
  }
  expect_equal(parts, *whole, "contents");
  return 0;
}

}  // namespace lockstep::fuzz
