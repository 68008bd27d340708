// Which files leave a folder of caches: those used longest ago, and none but files of rows.

#include "data/cache_trim.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <set>

#include "data/samples.h"

namespace lockstep {
namespace {

class CacheTrim : public testing::Test {
 protected:
  // A file of 100 bytes that was used so many seconds after 1970.
  fs::path add(const std::string& name, int used) {
    const fs::path path = folder_.write(name, std::string(100, 'x'));
    const ::timespec times[] = {{used, 0}, {5000, 0}};
    EXPECT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
    return path;
  }

  static std::string rows(char digit) { return "photos-" + std::string(32, digit) + ".rows"; }

  std::set<std::string> left() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path(""))) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }

  samples::Folder folder_;
};

TEST_F(CacheTrim, RemovesWhatWasUsedLongestAgo) {
  const fs::path newest = add(rows('a'), 400);
  add(rows('b'), 100);
  add(rows('c'), 300);
  add(rows('d'), 200);
  const std::set<std::string> all = left();
  trim_cache(folder_.path(""), newest, 400);
  EXPECT_EQ(left(), all);
  trim_cache(folder_.path(""), newest, 399);
  EXPECT_EQ(left(), (std::set{rows('a'), rows('c'), rows('d')}));
  trim_cache(folder_.path(""), newest, 199);
  EXPECT_EQ(left(), std::set{rows('a')});
  trim_cache(folder_.path(""), newest, 0);
  EXPECT_EQ(left(), std::set{rows('a')}) << "the one in use stays";
}

TEST_F(CacheTrim, WhatWasUsedAgainStays) {
  const fs::path old = add(rows('a'), 100);
  const fs::path other = add(rows('b'), 200);
  mark_used(old);
  struct stat status {};
  ASSERT_EQ(::stat(old.c_str(), &status), 0);
  EXPECT_EQ(status.st_mtim.tv_sec, 5000);
  trim_cache(folder_.path(""), {}, 100);
  EXPECT_EQ(left(), std::set{rows('a')});
}

TEST_F(CacheTrim, AllThatAreInUseStay) {
  const fs::path first = add(rows('a'), 100);
  const fs::path second = add(rows('b'), 200);
  add(rows('c'), 300);
  {
    const CacheUse use(first);
    trim_cache(folder_.path(""), second, 0);
    EXPECT_EQ(left(), (std::set{rows('a'), rows('b')}));
  }
  trim_cache(folder_.path(""), second, 0);
  EXPECT_EQ(left(), std::set{rows('b')});
}

TEST_F(CacheTrim, OthersFilesStay) {
  const std::set<std::string> others = {"photos.rows", "photos-0123.rows", "notes.txt",
                                        rows('a') + ".tmp"};
  for (const std::string& name : others) add(name, 100);
  add(rows('a'), 200);
  fs::create_directory(folder_.path(rows('b')));
  trim_cache(folder_.path(""), {}, 0);
  std::set<std::string> expected = others;
  expected.insert(rows('b'));
  EXPECT_EQ(left(), expected);
}

TEST_F(CacheTrim, HalfOfWhatIsFreeIsAllowed) {
  const std::string folder = folder_.path("");
  add(rows('a'), 100);
  const fs::space_info disk = fs::space(folder);
  const std::uint64_t allowed = allowed_cache_bytes(folder);
  EXPECT_LE(allowed, disk.capacity / 2);
  // Others may write to the disk meanwhile.
  const double half = (100 + static_cast<double>(disk.available)) / 2;
  EXPECT_NEAR(static_cast<double>(allowed), half, 0.1 * half);
  ::setenv("LOCKSTEP_CACHE_SIZE", "1234", 1);
  EXPECT_EQ(allowed_cache_bytes(folder), 1234U);
  ::setenv("LOCKSTEP_CACHE_SIZE", "some", 1);
  EXPECT_EQ(samples::error_of([&] { allowed_cache_bytes(folder); }),
            "LOCKSTEP_CACHE_SIZE is \"some\": expected a number of bytes");
  ::unsetenv("LOCKSTEP_CACHE_SIZE");
}

}  // namespace
}  // namespace lockstep
