#include "data/mapped_rows.h"

#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <fstream>

#include "data/rows_samples.h"
#include "data/samples.h"
#include "data/steps_ahead.h"

namespace lockstep {

namespace {

constexpr std::int64_t kRows = 997;
constexpr char kRange[] = R"("lowest":0.0,"highest":255.0)";

std::string write(const samples::Folder& folder) {
  return folder.write(
      "file.rows",
      samples::RowsBytes(kRows, PixelType::kByte, samples::Columns::kLabelsOnly, kRange).bytes());
}

TEST(MappedRows, AreThoseOfTheFile) {
  const samples::Folder folder;
  const std::uint64_t first = 50;
  const MappedRows rows(std::make_shared<RowsFile>(write(folder)), first,
                        {UsedRows::kGivenBack, 0});
  // Neighbours share a page: what one gives back the other must still find.
  for (std::uint64_t number = first; number < first + kRows; ++number) {
    rows.expect({number, (number * 7) % kRows + first});
    const PixelView row = rows.row(number);
    const auto raw = row.raw();
    ASSERT_EQ(std::string(reinterpret_cast<const char*>(raw.data()), raw.size()),
              samples::pixels_of_row(static_cast<std::int64_t>(number - first), PixelType::kByte));
    rows.give_back({number});
  }
}

TEST(MappedRows, ADamagedRowIsAnError) {
  const samples::Folder folder;
  const std::string path = write(folder);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096 + 105 * 12 + 7);
  file.put('\x5a');
  file.close();
  const MappedRows rows(std::make_shared<RowsFile>(path), 0, {UsedRows::kKept, 0});
  rows.row(11);
  EXPECT_EQ(samples::error_of([&] { rows.row(12); }),
            path + ": the pixels of row 12 are not those that were written: the file is damaged");
}

// Of the pages of `file`'s pixels.
std::int64_t pages_in_memory(const RowsFile& file) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto pixels = file.pixel_bytes();
  std::vector<unsigned char> in_memory((pixels.size() + page - 1) / page);
  EXPECT_EQ(::mincore(const_cast<std::byte*>(pixels.data()), pixels.size(), in_memory.data()), 0);
  return std::count_if(in_memory.begin(), in_memory.end(), [](unsigned char c) { return c & 1; });
}

TEST(MappedRows, OnesThatWereUsedLeaveMemory) {
  const samples::Folder folder;
  const std::string path = write(folder);
  const auto file = std::make_shared<RowsFile>(path);
  std::vector<std::uint64_t> all;
  for (std::uint64_t row = 0; row < kRows; ++row) all.push_back(row);
  const auto use_all = [&](UsedRows used) {
    const MappedRows rows(file, 0, {used, 0});
    rows.expect(all);
    for (const std::uint64_t row : all) rows.row(row);
    rows.give_back(all);
  };
  ::sync();  // what is not yet written stays
  use_all(UsedRows::kKept);
  const std::int64_t pages = pages_in_memory(*file);
  ASSERT_GT(pages, 0);
  use_all(UsedRows::kGivenBack);
  struct ::statfs system {};
  ASSERT_EQ(::statfs(path.c_str(), &system), 0);
  if (system.f_type == TMPFS_MAGIC) GTEST_SKIP() << "this file system lies in memory";
  // The kernel keeps some that it has at hand.
  EXPECT_LT(pages_in_memory(*file), pages);
}

TEST(MappedRows, MoreMemoryIsMoreStepsAhead) {
  const samples::Folder folder;
  const auto file = std::make_shared<RowsFile>(write(folder));
  const auto steps = [&](std::uint64_t memory) {
    return MappedRows(file, 0, {UsedRows::kKept, memory}).steps_ahead(10);
  };
  constexpr std::uint64_t kStep = 10 * (105 + 4096);
  EXPECT_EQ(steps(0), 1);
  EXPECT_EQ(steps(2 * 3 * kStep - 1), 2);
  EXPECT_EQ(steps(2 * 3 * kStep), 3);
  EXPECT_EQ(steps(1000 * kStep), 8);
}

TEST(StepsAhead, EachStepIsGivenOnce) {
  StepsAhead ahead(2);
  EXPECT_EQ(ahead.next(0, 0, 3), (Range{1, 4}));
  EXPECT_EQ(ahead.next(0, 1, 3), (Range{4, 5}));
  EXPECT_EQ(ahead.next(1, 7, 3), (Range{8, 11}));  // another lane, resumed
  EXPECT_EQ(ahead.next(0, 3, 3), (Range{5, 7}));
  EXPECT_EQ(ahead.next(0, 100, 3), (Range{101, 104}));
  EXPECT_EQ(ahead.next(0, 100, 3), (Range{104, 104}));
  EXPECT_EQ(ahead.next(0, 5, 3), (Range{6, 9}));  // gone back
}

}  // namespace

}  // namespace lockstep
