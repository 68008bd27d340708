// Rows that were packed, cached, or left in their file, against the same rows read from a text.

#include <gtest/gtest.h>
#include <stdlib.h>
#include <utime.h>

#include <chrono>

#include "data/mapped_rows.h"
#include "data/rows_file.h"
#include "data/samples.h"
#include "lockstep/core/files.h"
#include "lockstep/data/pack.h"
#include "lockstep/data/training_data.h"
#include "support/file_size_limit.h"
#include "support/rank_test.h"

namespace lockstep {

namespace {

constexpr int kLanes = 5;
constexpr int kBatch = 96;  // leaves a remainder, and does not divide by the lanes
constexpr std::uint64_t kSeed = 20;

// A variable of the environment, as long as the object lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name_); }

 private:
  const char* name_;
};

// How much memory rows may take.
class DataMemory : Variable {
 public:
  explicit DataMemory(const char* bytes) : Variable("LOCKSTEP_DATA_MEMORY", bytes) {}
};

DataOptions options_for(const std::string& path, const std::string& cache = "NONE") {
  DataOptions options = samples::options();
  options.train.path = path;
  options.cache = cache;
  return options;
}

std::string packed(const samples::SharedFolder& folder, const std::string& source) {
  const std::string path = folder.path("packed.rows");
  DataOptions options = options_for(source);
  const PackedRows rows = pack(test_comm(), options.train, options, path);
  EXPECT_EQ(rows.rows, samples::kRows);
  EXPECT_EQ(rows.bytes, file_bytes(path));
  return path;
}

void expect_same_share(const RowShare& share, const RowShare& expected) {
  ASSERT_EQ(share.total, expected.total);
  ASSERT_EQ(share.first, expected.first);
  ASSERT_EQ(share.numbers, expected.numbers);
  ASSERT_EQ(share.labels, expected.labels);
  for (std::int64_t chunk = 0; chunk < expected.chunks(); ++chunk) {
    const HeldPixels pixels = share.pixels(share.chunk(chunk));
    const HeldPixels wanted = expected.pixels(expected.chunk(chunk));
    ASSERT_EQ(pixels.type, wanted.type);
    ASSERT_TRUE(std::ranges::equal(pixels.raw(), wanted.raw()));
  }
}

// From `first_step` of the first epoch on, as after a resume.
void expect_same_data(const TrainingData& data, const TrainingData& expected,
                      std::int64_t first_step = 0) {
  EXPECT_EQ(data.summary().digest, expected.summary().digest);
  EXPECT_EQ(data.summary().normalization, expected.summary().normalization);
  EXPECT_EQ(data.options().range, expected.options().range);
  Batch batch;
  Batch wanted;
  const std::int64_t steps = expected.steps_per_epoch(kBatch);
  for (std::int64_t at = first_step; at < 2 * steps; ++at) {
    const auto epoch = static_cast<int>(at / steps);
    for (auto lane = static_cast<int>(data.owned_lanes().first); lane < data.owned_lanes().last;
         ++lane) {
      data.fill_batch(lane, epoch, at % steps, kBatch, batch);
      expected.fill_batch(lane, epoch, at % steps, kBatch, wanted);
      ASSERT_EQ(batch.rows, wanted.rows);
      ASSERT_EQ(batch.labels, wanted.labels);
      ASSERT_EQ(batch.images, wanted.images);
    }
  }
  expect_same_share(data.validation(), expected.validation());
}

TEST(PackedRows, AreReadAsTheirSource) {
  const samples::SharedFolder folder(test_comm());
  for (const NormalizationKind kind : {NormalizationKind::kUnit, NormalizationKind::kStandardize}) {
    DataOptions options = options_for(folder.write("rows.csv", samples::csv(samples::kRows)));
    options.normalization = kind;
    const TrainingData expected(test_comm(), options, kLanes, kSeed);
    const RowShare all =
        load_rows(test_comm(), options.train, expected.options(), Labels::kRequired);
    options.train.path = packed(folder, options.train.path);
    const TrainingData data(test_comm(), options, kLanes, kSeed);
    expect_same_data(data, expected);
    expect_same_share(load_rows(test_comm(), options.train, data.options(), Labels::kRequired),
                      all);
  }
}

TEST(PackedRows, ThatDoNotFitStayInTheirFile) {
  const samples::SharedFolder folder(test_comm());
  DataOptions options = options_for(folder.write("rows.csv", samples::csv(samples::kRows)));
  options.augmentation.rotation_degrees = 10;
  const TrainingData expected(test_comm(), options, kLanes, kSeed);
  const RowShare all = load_rows(test_comm(), options.train, expected.options(), Labels::kRequired);
  options.train.path = packed(folder, options.train.path);
  for (const char* const memory : {"1", "1000000"}) {
    const DataMemory limit(memory);
    const bool fits = memory != std::string("1");
    for (const std::int64_t first_step : {0, 4}) {
      const TrainingData data(test_comm(), options, kLanes, kSeed);
      EXPECT_EQ(data.validation().mapped == nullptr, fits);
      expect_same_data(data, expected, first_step);
    }
    const RowShare share =
        load_rows(test_comm(), options.train, expected.options(), Labels::kRequired);
    EXPECT_EQ(share.mapped == nullptr, fits);
    expect_same_share(share, all);
  }
}

TEST(PackedRows, TheMemoryForThemIsANumber) {
  const samples::SharedFolder folder(test_comm());
  const std::string path = packed(folder, folder.write("rows.csv", samples::csv(samples::kRows)));
  const DataMemory limit("much");
  EXPECT_EQ(samples::error_of([&] { TrainingData(test_comm(), options_for(path), kLanes, kSeed); }),
            "LOCKSTEP_DATA_MEMORY is \"much\": expected a number of bytes");
}

TEST(PackedRows, TheirShapeIsTheExperiments) {
  const samples::SharedFolder folder(test_comm());
  DataOptions options =
      options_for(packed(folder, folder.write("rows.csv", samples::csv(samples::kRows))));
  options.shape = {9, 5, 1};
  EXPECT_EQ(samples::error_of([&] { TrainingData(test_comm(), options, kLanes, kSeed); }),
            options.train.path + ": images of 5x9x1; expected 9x5x1");
}

class Cache : public testing::Test {
 protected:
  // A source that is read through a cache of its own.
  Cache() : folder_(test_comm()), cache_(folder_.path("cache")) {
    options_ = options_for(folder_.write("rows.csv", samples::csv(samples::kRows)), cache_);
    DataOptions plain = options_;
    plain.cache = "NONE";
    expected_ = std::make_unique<TrainingData>(test_comm(), plain, kLanes, kSeed);
  }

  TrainingData load() const { return TrainingData(test_comm(), options_, kLanes, kSeed); }

  // The one file of the cache.
  fs::path file() const {
    test_comm().barrier();
    fs::path found;
    for (const auto& entry : fs::directory_iterator(cache_)) {
      EXPECT_TRUE(found.empty()) << entry.path() << " beside " << found;
      found = entry.path();
    }
    return found;
  }

  // What rank 0 does while the others wait.
  template <typename Work>
  void alone(Work work) const {
    test_comm().barrier();
    if (test_comm().rank() == 0) work();
    test_comm().barrier();
  }

  samples::SharedFolder folder_;
  std::string cache_;
  DataOptions options_;
  std::unique_ptr<TrainingData> expected_;
};

TEST_F(Cache, IsMadeOnceAndThenRead) {
  expect_same_data(load(), *expected_);
  const fs::path made = file();
  const auto before = fs::last_write_time(made);
  // Were it not read, these rows would be seen.
  expect_same_data(load(), *expected_);
  EXPECT_EQ(file(), made);
  EXPECT_EQ(fs::last_write_time(made), before);
  // Another layout is another file.
  options_.csv.layout = PixelLayout::kTransposed;
  load();
  test_comm().barrier();
  EXPECT_EQ(std::distance(fs::directory_iterator(cache_), fs::directory_iterator()), 2);
}

TEST_F(Cache, InTheUsersFolderThoseOfLongAgoLeave) {
  const Variable caches("XDG_CACHE_HOME", folder_.path("caches").c_str());
  const DataMemory none("1");  // or nothing would be kept
  options_.cache = "AUTO";
  cache_ = folder_.path("caches/lockstep");
  load();
  const fs::path first = file();
  options_.csv.layout = PixelLayout::kTransposed;
  load();
  test_comm().barrier();
  EXPECT_EQ(std::distance(fs::directory_iterator(cache_), fs::directory_iterator()), 2);
  const Variable size("LOCKSTEP_CACHE_SIZE", "0");
  load();
  EXPECT_NE(file(), first);
  options_.csv.layout = PixelLayout::kInterleaved;
  expect_same_data(load(), *expected_);
  EXPECT_EQ(file(), first);
}

TEST_F(Cache, OfAnotherStateIsMadeAnew) {
  load();
  const fs::path made = file();
  std::string text = samples::csv(samples::kRows);
  text.replace(text.find("\n0,"), 3, "\n1,");
  folder_.write("rows.csv", text);
  const TrainingData changed = load();
  EXPECT_EQ(file(), made);
  DataOptions plain = options_;
  plain.cache = "NONE";
  expect_same_data(changed, TrainingData(test_comm(), plain, kLanes, kSeed));
  EXPECT_NE(changed.summary().digest, expected_->summary().digest);
}

TEST_F(Cache, ADamagedOrForeignOneIsMadeAnew) {
  load();
  const fs::path made = file();
  const std::string whole = read_file(made);
  for (const std::size_t at : {std::size_t{20}, std::size_t{4096 + 45 * 500}, whole.size() - 1}) {
    alone([&] {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ 1);
      write_file_atomically(made, damaged);
    });
    expect_same_data(load(), *expected_);
    EXPECT_EQ(read_file(file()), whole);
  }
  for (const std::string& foreign : {std::string("a text"), std::string(), whole.substr(0, 5000)}) {
    alone([&] { write_file_atomically(made, foreign); });
    expect_same_data(load(), *expected_);
    EXPECT_EQ(read_file(file()), whole);
  }
}

TEST_F(Cache, WithoutOneTheSourceIsRead) {
  // A file where the folder should be; and a disk that fills.
  options_.cache = folder_.write("file", "x");
  expect_same_data(load(), *expected_);
  options_.cache = cache_;
  const FileSizeLimit limit(10000);
  expect_same_data(load(), *expected_);
  test_comm().barrier();
  EXPECT_TRUE(fs::is_empty(cache_));
}

// Damage that comes after the start, in rows that stay in their file.
TEST_F(Cache, OneThatTurnsOutDamagedIsRemoved) {
  load();
  const fs::path made = file();
  const DataMemory limit("1");
  const TrainingData data = load();
  alone([&] {
    std::fstream open(made, std::ios::in | std::ios::out | std::ios::binary);
    for (int row = 0; row < samples::kRows; ++row) {
      open.seekp(4096 + 45 * row);
      open.put('\x5a');
    }
  });
  Batch batch;
  const auto lane = static_cast<int>(data.owned_lanes().first);
  if (data.owned_lanes().size() > 0) {
    const std::string error =
        samples::error_of([&] { data.fill_batch(lane, 0, 0, kBatch, batch); });
    EXPECT_TRUE(error.starts_with(made.string() + ": the pixels of row ")) << error;
  }
  test_comm().barrier();
  EXPECT_FALSE(fs::exists(made));
  ::unsetenv("LOCKSTEP_DATA_MEMORY");
  expect_same_data(load(), *expected_);
}

}  // namespace

}  // namespace lockstep
