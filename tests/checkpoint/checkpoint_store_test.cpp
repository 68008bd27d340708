#include "lockstep/checkpoint/checkpoint_store.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <stdlib.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "lockstep/checkpoint/checkpoint_writer.h"
#include "lockstep/core/digest.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "support/file_size_limit.h"

namespace lockstep {
namespace {

// Files of a checkpoint, different at every step. One is empty.
CheckpointFiles files_of(std::int64_t step) {
  CheckpointFiles files;
  for (int i = 0; i < 397; ++i) files["weights"] += static_cast<char>(step * 31 + i * i);
  files["state.json"] = fmt::format("{{\"step\": {}}}\n", step);
  files["empty"] = "";
  return files;
}

class CheckpointStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "checkpoints-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    run_dir_ = pattern;
    spdlog::set_level(spdlog::level::err);  // thousands of warnings are expected
  }
  void TearDown() override {
    spdlog::set_level(spdlog::level::info);
    fs::remove_all(run_dir_);
  }

  CheckpointStore store() const { return CheckpointStore(run_dir_); }
  fs::path folder(std::int64_t step) const { return checkpoint_folder(run_dir_, step); }

  // The names in checkpoints/, in order.
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(run_dir_ / "checkpoints")) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::string best() const { return fs::read_symlink(best_link(run_dir_)).string(); }

  // Whether the store finds step 10 and sets step 20 aside; puts it back.
  bool takes_the_one_before() const {
    const auto found = store().find_latest();
    if (!found || found->step != 10 || found->files != files_of(10)) return false;
    const fs::path bad = folder(20).string() + ".bad";
    if (fs::exists(folder(20)) || !fs::exists(bad)) return false;
    fs::rename(bad, folder(20));
    return true;
  }

  fs::path run_dir_;
};

using Names = std::vector<std::string>;

TEST_F(CheckpointStoreTest, FindsNothingWhereNothingIs) {
  EXPECT_FALSE(store().find_latest());
  fs::create_directories(run_dir_ / "checkpoints");
  EXPECT_FALSE(store().find_latest());
}

TEST_F(CheckpointStoreTest, FindsTheNewestByNumber) {
  for (const std::int64_t step : {9, 10, 99'999'999, 100'000'000}) {
    store().save(step, files_of(step), 9);
    const auto found = store().find_latest();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->step, step);
    EXPECT_EQ(found->files, files_of(step));
  }
}

TEST_F(CheckpointStoreTest, ManifestTellsSizesAndDigests) {
  store().save(10, {{"abc", "abc"}, {"empty", ""}}, 1);
  const auto json = nlohmann::json::parse(read_file(folder(10) / "manifest.json"));
  EXPECT_EQ(json.at("format"), kCheckpointFormat);
  EXPECT_EQ(json.at("files").size(), 2U);
  EXPECT_EQ(json.at("files").at("abc").at("bytes"), 3);
  // As xxhsum -H128 prints them.
  EXPECT_EQ(json.at("files").at("abc").at("xxh3"), "06b05ab6733a618578af5f94892f3950");
  EXPECT_EQ(json.at("files").at("empty").at("xxh3"), "99aa06d3014798d86001c324468d497f");
}

TEST_F(CheckpointStoreTest, NoFilesAreACheckpointToo) {
  store().save(10, {}, 1);
  const auto found = store().find_latest();
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->files.empty());
}

TEST_F(CheckpointStoreTest, KeepsTheLastAndTheBest) {
  for (const std::int64_t step : {10, 20, 30}) store().save(step, files_of(step), 2);
  EXPECT_EQ(names(), (Names{"step-00000020", "step-00000030"}));
  store().set_best(20);
  for (const std::int64_t step : {40, 50}) store().save(step, files_of(step), 2);
  EXPECT_EQ(names(), (Names{"best", "step-00000020", "step-00000040", "step-00000050"}));
  store().set_best(50);
  store().save(60, files_of(60), 1);
  EXPECT_EQ(names(), (Names{"best", "step-00000050", "step-00000060"}));
  EXPECT_EQ(best(), "step-00000050");
}

TEST_F(CheckpointStoreTest, BestIsOneThatIsThere) {
  store().save(10, files_of(10), 1);
  store().set_best(10);
  store().set_best(20);
  EXPECT_EQ(best(), "step-00000010");
}

// A run that was resumed at an earlier checkpoint makes the later ones again.
TEST_F(CheckpointStoreTest, SavingRemovesTheFuture) {
  for (const std::int64_t step : {10, 20, 30, 40}) store().save(step, files_of(step), 9);
  store().set_best(40);
  store().save(15, files_of(15), 2);
  EXPECT_EQ(names(), (Names{"best", "step-00000010", "step-00000015"}));
  EXPECT_EQ(store().find_latest()->step, 15);
}

TEST_F(CheckpointStoreTest, ReplacesACheckpointOfTheSameStep) {
  store().save(10, files_of(10), 1);
  CheckpointFiles other = files_of(11);
  other.erase("empty");
  store().save(10, other, 1);
  EXPECT_EQ(store().find_latest()->files, other);
  EXPECT_EQ(names(), (Names{"step-00000010"}));
  EXPECT_FALSE(fs::exists(folder(10) / "empty"));
}

TEST_F(CheckpointStoreTest, TemporaryFoldersAreRemovedAndOthersIgnored) {
  store().save(10, files_of(10), 2);
  for (const char* name : {".tmp-step-00000020", ".tmp-old-step-00000005"}) {
    fs::copy(folder(10), run_dir_ / "checkpoints" / name, fs::copy_options::recursive);
  }
  for (const char* name : {"step-", "step-12x", "step--3", "other"}) {
    fs::create_directory(run_dir_ / "checkpoints" / name);
  }
  fs::create_directory_symlink("step-00000010", run_dir_ / "checkpoints" / "step-00000030");
  EXPECT_EQ(store().find_latest()->step, 10);
  EXPECT_FALSE(fs::exists(run_dir_ / "checkpoints" / ".tmp-step-00000020"));
  EXPECT_FALSE(fs::exists(run_dir_ / "checkpoints" / ".tmp-old-step-00000005"));
  EXPECT_TRUE(fs::exists(run_dir_ / "checkpoints" / "other"));
}

TEST_F(CheckpointStoreTest, WhatWasAboutToBeReplacedGetsItsNameBack) {
  store().save(10, files_of(10), 2);
  const fs::path replaced = run_dir_ / "checkpoints" / ".tmp-replaced-step-00000010";
  fs::rename(folder(10), replaced);
  EXPECT_EQ(store().find_latest()->files, files_of(10));
  fs::copy(folder(10), replaced, fs::copy_options::recursive);
  EXPECT_EQ(store().find_latest()->step, 10);
  EXPECT_EQ(names(), (Names{"step-00000010"}));
}

TEST_F(CheckpointStoreTest, LaterOnesAreRemoved) {
  for (const std::int64_t step : {10, 20, 30}) store().save(step, files_of(step), 9);
  store().set_best(20);
  store().remove_after(20);
  EXPECT_EQ(names(), (Names{"best", "step-00000010", "step-00000020"}));
  store().remove_after(10);
  EXPECT_EQ(names(), (Names{"step-00000010"}));
}

TEST_F(CheckpointStoreTest, FolderThatCannotBeListedIsNotTakenForEmpty) {
  fs::create_directories(run_dir_);
  write_file_durably(run_dir_ / "checkpoints", "a file");
  try {
    store().find_latest();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("checkpoints: Not a directory"), std::string::npos)
        << error.what();
  }
}

TEST_F(CheckpointStoreTest, CutFilesAreNeverAccepted) {
  for (const std::int64_t step : {10, 20}) store().save(step, files_of(step), 2);
  for (const char* name : {"weights", "state.json", "manifest.json"}) {
    const fs::path path = folder(20) / name;
    const std::string content = read_file(path);
    for (std::size_t size = 0; size < content.size(); ++size) {
      fs::resize_file(path, size);
      ASSERT_TRUE(takes_the_one_before()) << name << " cut at " << size;
      std::ofstream(path, std::ios::binary) << content;
    }
  }
  for (const char* name : {"weights", "empty", "manifest.json"}) {
    const std::string content = read_file(folder(20) / name);
    fs::remove(folder(20) / name);
    EXPECT_TRUE(takes_the_one_before()) << "without " << name;
    write_file_durably(folder(20) / name, content + '\n');
    EXPECT_TRUE(takes_the_one_before()) << "longer " << name;
    write_file_durably(folder(20) / name, content);
  }
  EXPECT_EQ(store().find_latest()->step, 20);
}

TEST_F(CheckpointStoreTest, FlippedBitsAreNeverAccepted) {
  for (const std::int64_t step : {10, 20}) store().save(step, files_of(step), 2);
  std::mt19937 random(20);
  const std::array<std::string, 3> all = {"weights", "state.json", "manifest.json"};
  for (int turn = 0; turn < 10'000; ++turn) {
    const std::string& name = all[random() % all.size()];
    std::fstream file(folder(20) / name, std::ios::in | std::ios::out | std::ios::binary);
    const auto at = static_cast<std::streamoff>(random() % fs::file_size(folder(20) / name));
    const int bit = static_cast<int>(random() % 8);
    file.seekg(at);
    const auto byte = static_cast<char>(file.get());
    const auto put = [&](char value) { file.seekp(at).put(value).flush(); };
    put(static_cast<char>(byte ^ (1 << bit)));
    ASSERT_TRUE(takes_the_one_before()) << name << " byte " << at << " bit " << bit;
    file.close();
    file.open(folder(20) / name, std::ios::in | std::ios::out | std::ios::binary);
    put(byte);
  }
  EXPECT_EQ(store().find_latest()->step, 20);
}

// As a later version of Lockstep might write it: other keys, but the same digest.
TEST_F(CheckpointStoreTest, CheckpointsOfANewerFormatAreRefusedAndLeftAlone) {
  for (const std::int64_t step : {10, 20}) store().save(step, files_of(step), 2);
  const auto write_manifest = [&](const nlohmann::ordered_json& format) {
    nlohmann::ordered_json json = {{"format", format}, {"pages", {1, 2}}};
    json["xxh3"] = digest_of(json.dump(2)).hex();
    write_file_durably(folder(20) / "manifest.json", json.dump(2) + "\n");
  };
  write_manifest(kCheckpointFormat + 1);
  for (int turn = 0; turn < 2; ++turn) {
    try {
      (void)store().find_latest();
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      EXPECT_EQ(error.what(), folder(20).string() + ": written by a newer Lockstep, format 2; " +
                                  "this one reads up to 1");
    }
    EXPECT_EQ(names(), (Names{"step-00000010", "step-00000020"}));
  }
  for (const nlohmann::ordered_json& format :
       {nlohmann::ordered_json(0), nlohmann::ordered_json("2"), nlohmann::ordered_json(),
        nlohmann::ordered_json(1e300), nlohmann::ordered_json(-1)}) {
    write_manifest(format);
    EXPECT_TRUE(takes_the_one_before()) << format;
  }
}

TEST_F(CheckpointStoreTest, FailedWriteLeavesTheOneBefore) {
  store().save(10, files_of(10), 1);
  {
    const FileSizeLimit limit(100);
    EXPECT_THROW(store().save(20, files_of(20), 1), Error);
    EXPECT_THROW(store().save(10, files_of(11), 1), Error);
  }
  EXPECT_EQ(names(), (Names{"step-00000010"}));
  EXPECT_EQ(store().find_latest()->files, files_of(10));
}

TEST_F(CheckpointStoreTest, WriterSaysWhetherTheLastWriteFailed) {
  CheckpointWriter writer(run_dir_, 2);
  EXPECT_TRUE(writer.finish());
  writer.submit(10, files_of(10), AsBest::kNo);
  EXPECT_TRUE(writer.finish());
  {
    const FileSizeLimit limit(100);
    writer.submit(20, files_of(20), AsBest::kNo);
    EXPECT_FALSE(writer.finish());
  }
  writer.submit(30, files_of(30), AsBest::kNo);
  EXPECT_TRUE(writer.finish());
  EXPECT_EQ(names(), (Names{"step-00000010", "step-00000030"}));
}

TEST_F(CheckpointStoreTest, WriterTriesABestCheckpointAgain) {
  CheckpointWriter writer(run_dir_, 2);
  writer.submit(10, files_of(10), AsBest::kYes);
  EXPECT_TRUE(writer.finish());
  {
    const FileSizeLimit limit(100);
    writer.submit(20, files_of(20), AsBest::kYes);
    EXPECT_FALSE(writer.finish());
    writer.submit(30, files_of(30), AsBest::kNo);
    EXPECT_FALSE(writer.finish());
  }
  EXPECT_EQ(best(), "step-00000010");
  writer.submit(40, files_of(40), AsBest::kNo);
  EXPECT_TRUE(writer.finish());
  EXPECT_EQ(best(), "step-00000020");
  EXPECT_EQ(names(), (Names{"best", "step-00000020", "step-00000040"}));
}

TEST_F(CheckpointStoreTest, WriterForgetsABestThatWasSurpassed) {
  CheckpointWriter writer(run_dir_, 9);
  {
    const FileSizeLimit limit(100);
    writer.submit(10, files_of(10), AsBest::kYes);
    EXPECT_FALSE(writer.finish());
  }
  writer.submit(20, files_of(20), AsBest::kYes);
  writer.submit(30, files_of(30), AsBest::kNo);
  EXPECT_TRUE(writer.finish());
  EXPECT_EQ(best(), "step-00000020");
  EXPECT_EQ(names(), (Names{"best", "step-00000020", "step-00000030"}));
}

}  // namespace
}  // namespace lockstep
