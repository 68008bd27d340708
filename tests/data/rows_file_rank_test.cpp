// Files of rows, written by every number of ranks, and read again.

#include <gtest/gtest.h>

#include "data/rows_file.h"
#include "data/rows_samples.h"
#include "data/rows_writer.h"
#include "data/samples.h"
#include "lockstep/core/share.h"
#include "support/file_size_limit.h"
#include "support/rank_test.h"

namespace lockstep {

namespace {

using samples::Columns;

constexpr std::int64_t kRows = 997;
constexpr char kByteRange[] = R"("lowest":0.0,"highest":255.0)";
constexpr char kFloatRange[] = R"("lowest":-2.0,"highest":61.75)";

// In rounds, as a source larger than memory is read.
void write_rounds(const fs::path& path, PixelType type, Columns columns, int rounds) {
  Communicator& comm = test_comm();
  RowsWriter writer(comm, path, samples::facts(type), Synced::kYes);
  for (int round = 0; round < rounds; ++round) {
    const Range part = share_of(kRows, std::int64_t{comm.world_size()} * rounds,
                                std::int64_t{round} * comm.world_size() + comm.rank());
    writer.add(samples::rows_from(part.first, part.size(), type, columns));
  }
  EXPECT_EQ(writer.rows(), kRows);
  writer.finish(type == PixelType::kByte ? ValueRange{0, 255} : ValueRange{-2, 61.75F});
}

TEST(RowsFile, BytesDoNotDependOnRanksAndRounds) {
  const samples::SharedFolder folder(test_comm());
  const std::string path = folder.path("file.rows");
  for (const Columns columns : {Columns::kAll, Columns::kLabelsOnly, Columns::kNone}) {
    for (const int rounds : {1, 3}) {
      write_rounds(path, PixelType::kByte, columns, rounds);
      EXPECT_EQ(read_file(path),
                samples::RowsBytes(kRows, PixelType::kByte, columns, kByteRange).bytes());
      test_comm().barrier();
      write_rounds(path, PixelType::kFloat, columns, rounds);
      EXPECT_EQ(read_file(path),
                samples::RowsBytes(kRows, PixelType::kFloat, columns, kFloatRange).bytes());
      test_comm().barrier();
    }
  }
}

TEST(RowsFile, ReadsWhatWasWritten) {
  const samples::SharedFolder folder(test_comm());
  for (const PixelType type : {PixelType::kByte, PixelType::kFloat}) {
    const bool bytes = type == PixelType::kByte;
    const std::string path = folder.write(
        "file.rows",
        samples::RowsBytes(kRows, type, Columns::kAll, bytes ? kByteRange : kFloatRange).bytes());
    const RowsFile file(path);
    RowsFacts facts = samples::facts(type);
    facts.label_names = samples::kRowNames;
    facts.range = bytes ? ValueRange{0, 255} : ValueRange{-2, 61.75F};
    EXPECT_EQ(file.facts(), facts);
    ASSERT_EQ(file.rows(), kRows);
    ASSERT_TRUE(file.has_ids());
    for (std::int64_t row = 0; row < kRows; ++row) {
      const auto at = static_cast<std::size_t>(row);
      ASSERT_EQ(file.labels()[at], static_cast<std::int32_t>(samples::name_of_row(row)));
      ASSERT_EQ(file.uses()[at], samples::use_of_row(row));
      ASSERT_EQ(file.id(row), samples::id_of_row(row));
      const auto pixels = file.pixels(row);
      ASSERT_EQ(std::string(reinterpret_cast<const char*>(pixels.data()), pixels.size()),
                samples::pixels_of_row(row, type));
    }
    test_comm().barrier();
  }
}

TEST(RowsFile, AFlippedBitIsNoticed) {
  const samples::SharedFolder folder(test_comm());
  const std::string whole =
      samples::RowsBytes(20, PixelType::kByte, Columns::kAll, kByteRange).bytes();
  const std::size_t row_bytes = 105;
  const std::size_t behind_pixels = 4096 + 20 * row_bytes;
  for (std::size_t at = 0; at < whole.size(); at += at < 4096 ? 7 : 3) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << at % 8));
    const std::string path = folder.write("file.rows", flipped);
    if (at < 4096 || at >= behind_pixels) {
      ASSERT_NE(samples::error_of([&] { RowsFile file(path); }), "") << at;
    } else {
      const RowsFile file(path);
      const auto damaged = static_cast<std::int64_t>((at - 4096) / row_bytes);
      for (std::int64_t row = 0; row < file.rows(); ++row) {
        const std::string error = samples::error_of([&] { file.pixels(row); });
        ASSERT_EQ(error, row != damaged
                             ? ""
                             : path + ": the pixels of row " + std::to_string(row) +
                                   " are not those that were written: the file is damaged");
      }
    }
    test_comm().barrier();
  }
}

TEST(RowsFile, ACutFileIsNoticed) {
  const samples::SharedFolder folder(test_comm());
  const std::string whole =
      samples::RowsBytes(20, PixelType::kByte, Columns::kAll, kByteRange).bytes();
  for (std::size_t bytes = 0; bytes < whole.size(); bytes += 61) {
    const std::string path = folder.write("file.rows", whole.substr(0, bytes));
    ASSERT_NE(samples::error_of([&] { RowsFile file(path); }), "") << bytes;
    test_comm().barrier();
  }
  const std::string path = folder.write("file.rows", whole + "x");
  EXPECT_EQ(samples::error_of([&] { RowsFile file(path); }),
            path + ": a file of rows of " + std::to_string(whole.size() + 1) +
                " bytes; its head says " + std::to_string(whole.size()));
}

// Each says something that cannot be, under a digest that is right.
TEST(RowsFile, LiesAreRefused) {
  const samples::SharedFolder folder(test_comm());
  const std::string whole =
      samples::RowsBytes(20, PixelType::kByte, Columns::kAll, kByteRange).bytes();
  const auto place_of = [&](int section) {
    std::uint64_t first = 0;
    std::memcpy(&first, whole.data() + 88 + 16 * section, sizeof(first));
    return static_cast<std::size_t>(first);
  };
  const auto error_with = [&](std::size_t at, const std::string& bytes) {
    std::string changed = whole;
    changed.replace(at, bytes.size(), bytes);
    samples::RowsBytes::seal(changed);
    const std::string path = folder.write("file.rows", changed);
    const std::string error = samples::error_of([&] { RowsFile file(path); });
    test_comm().barrier();
    return error.starts_with(path + ": ") ? error.substr(path.size() + 2) : "?" + error;
  };
  const auto word = [](std::uint64_t value) { return samples::RowsBytes::number(value); };
  const std::string damaged = "the head of this file of rows is damaged";
  EXPECT_EQ(error_with(0, "label,"), "is not a file of rows");
  EXPECT_EQ(error_with(8, samples::RowsBytes::number(std::uint32_t{2})),
            "a file of rows of version 2; expected 1: pack its source anew");
  EXPECT_EQ(error_with(32, word(std::uint64_t{1} << 62)), damaged);  // rows
  EXPECT_EQ(error_with(32, word(21)), damaged);
  EXPECT_EQ(error_with(32, word(0)), damaged);
  EXPECT_EQ(error_with(40, word(~std::uint64_t{0})), damaged);       // bytes of a row
  EXPECT_EQ(error_with(48, word(std::uint64_t{1} << 40)), damaged);  // of facts
  EXPECT_EQ(error_with(64, word(2)), damaged);                       // has labels
  EXPECT_EQ(error_with(88, word(std::uint64_t{1} << 63)), damaged);  // place of the pixels
  EXPECT_EQ(error_with(4000, "x"), damaged);
  EXPECT_EQ(error_with(place_of(1) + 10, "6"), "rows of 105 bytes; its images take 126");
  EXPECT_EQ(error_with(place_of(1), "[[[[[[[["),
            "what it says of its rows is damaged: it is nested too deep");
  EXPECT_EQ(error_with(place_of(1), "x"),
            "what it says of its rows is damaged: it is not the JSON that it must be");
  EXPECT_EQ(error_with(place_of(2) + 12, samples::RowsBytes::number(4)), "row 3 has label 4 of 4");
  EXPECT_EQ(error_with(place_of(3) + 7, "\x03"),
            "a row is for neither training, validation nor test");
  EXPECT_EQ(error_with(place_of(4), word(~std::uint64_t{0})),
            "the ids of its rows do not follow each other");
}

TEST(RowsFile, AFullDiskLeavesNothing) {
  const samples::SharedFolder folder(test_comm());
  const std::string path = folder.path("file.rows");
  std::string seen;
  {
    const FileSizeLimit limit(20000);
    try {
      write_rounds(path, PixelType::kByte, Columns::kAll, 3);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInternal);
      EXPECT_EQ(error.reach(), Reach::kAgreed);
      seen = error.what();
    }
  }
  test_comm().barrier();
  EXPECT_EQ(seen, path + ": write failed: File too large");
  EXPECT_TRUE(fs::is_empty(folder.path("")));
}

TEST(RowsFile, ColumnsAreThereForAllRowsOrNone) {
  const samples::SharedFolder folder(test_comm());
  Communicator& comm = test_comm();
  RowsWriter writer(comm, folder.path("file.rows"), samples::facts(PixelType::kByte), Synced::kNo);
  writer.add(samples::rows_from(0, comm.rank() == 0 ? 5 : 0, PixelType::kByte, Columns::kAll));
  writer.add(samples::rows_from(5, comm.rank() == 0 ? 3 : 0, PixelType::kByte, Columns::kNone));
  EXPECT_EQ(samples::error_of([&] {
              writer.finish({0, 255});
            }),
            folder.path("file.rows") + ": 5 of 8 rows have labels; expected all or none");
  RowsWriter none(comm, folder.path("none.rows"), samples::facts(PixelType::kByte), Synced::kNo);
  EXPECT_EQ(samples::error_of([&] {
              none.finish({0, 255});
            }),
            folder.path("none.rows") + ": no row to write");
}

}  // namespace

}  // namespace lockstep
