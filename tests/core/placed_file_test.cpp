#include "lockstep/core/placed_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <fstream>

#include "support/file_size_limit.h"

namespace lockstep {
namespace {

class PlacedFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "lockstep-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ / "file";
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::int64_t entries() const {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  }

  fs::path folder_;
  fs::path path_;
};

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

TEST_F(PlacedFiles, HasItsNameWhenAllHaveWritten) {
  write_file_atomically(path_, "old");
  PlacedFile first = PlacedFile::create(path_);
  PlacedFile second = PlacedFile::join(path_, first.temporary());
  second.write(3, bytes_of("def"));
  first.write(0, bytes_of("abc"));
  second.close(Synced::kYes);
  first.close(Synced::kYes);
  EXPECT_EQ(read_file(path_), "old");
  first.publish(Synced::kYes);
  EXPECT_EQ(read_file(path_), "abcdef");
  EXPECT_EQ(entries(), 1);
}

TEST_F(PlacedFiles, NothingIsLeftOfOneThatIsGivenUp) {
  {
    PlacedFile file = PlacedFile::create(path_);
    file.write(0, bytes_of("abc"));
    EXPECT_EQ(entries(), 1);
  }
  EXPECT_EQ(entries(), 0);
}

TEST_F(PlacedFiles, WhatAKilledProcessLeftIsRemovedAfterAnHour) {
  const auto leave = [&](const std::string& name, std::chrono::minutes age) {
    std::ofstream(folder_ / name) << "half";
    fs::last_write_time(folder_ / name, fs::file_time_type::clock::now() - age);
  };
  leave(".file.1.lockstep-tmp", std::chrono::minutes(61));
  leave(".file.2.lockstep-tmp", std::chrono::minutes(59));
  leave(".other.3.lockstep-tmp", std::chrono::minutes(61));
  { const PlacedFile file = PlacedFile::create(path_); }
  EXPECT_FALSE(fs::exists(folder_ / ".file.1.lockstep-tmp"));
  EXPECT_TRUE(fs::exists(folder_ / ".file.2.lockstep-tmp"));
  EXPECT_TRUE(fs::exists(folder_ / ".other.3.lockstep-tmp"));
}

// The text of the Error (1) that `work` throws.
template <typename Work>
std::string error_of(Work work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInternal);
    return error.what();
  }
  return {};
}

TEST_F(PlacedFiles, FailuresNameTheFile) {
  PlacedFile file = PlacedFile::create(path_);
  {
    const FileSizeLimit limit(10);
    EXPECT_EQ(error_of([&] { file.write(8, bytes_of("abc")); }),
              path_.string() + ": write failed: File too large");
  }
  EXPECT_EQ(error_of([&] { PlacedFile::create(folder_ / "none" / "file"); }),
            (folder_ / "none" / "file").string() +
                ": open for writing failed: No such file or directory");
  EXPECT_NE(error_of([&] {
              PlacedFile::join(path_, folder_ / ".file.none.lockstep-tmp");
            }).find("expected a folder that all hosts share"),
            std::string::npos);
}

}  // namespace
}  // namespace lockstep
