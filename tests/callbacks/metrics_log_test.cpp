#include "lockstep/callbacks/metrics_log.h"

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "callbacks/events.h"
#include "lockstep/core/error.h"
#include "support/file_size_limit.h"

namespace lockstep {
namespace {

class MetricsLogTest : public FolderTest {
 protected:
  fs::path path() const { return folder_ / "metrics.jsonl"; }

  std::vector<nlohmann::json> lines() const {
    std::istringstream text(read_file(path()));
    std::vector<nlohmann::json> all;
    for (std::string line; std::getline(text, line);) all.push_back(nlohmann::json::parse(line));
    return all;
  }

  // Kind and step of each line, in order: "s3" for step 3, "e8" for an epoch.
  std::string outline() const {
    std::string text;
    for (const auto& line : lines()) {
      text += line.at("kind") == "step" ? " s" : " e";
      text += std::to_string(line.at("step").get<int>());
    }
    return text;
  }
};

// The steps from `first` on, and the ends of their epochs.
void train(MetricsLog& log, std::int64_t first, std::int64_t last) {
  for (std::int64_t step = first; step <= last; ++step) {
    const int epoch = static_cast<int>((step - 1) / 8);
    log.on_step(step_event(epoch, step - 8 * epoch, 0));
    if (step % 8 != 0) continue;
    EpochEvent event = epoch_event(epoch, Metric::kValLoss, 0.5);
    event.step = step;
    log.on_epoch_end(event);
  }
}

TEST_F(MetricsLogTest, WritesStepsOfAMultiple) {
  MetricsLog log(5);
  log.on_run_begin(run());
  train(log, 1, 16);
  EXPECT_EQ(outline(), " s5 e8 s10 s15 e16");
}

TEST_F(MetricsLogTest, WritesNoStepsForZero) {
  MetricsLog log(0);
  log.on_run_begin(run());
  train(log, 1, 16);
  EXPECT_EQ(outline(), " e8 e16");
}

TEST_F(MetricsLogTest, WritesTheFieldsOfAStep) {
  MetricsLog log(1);
  log.on_run_begin(run());
  log.on_step(step_event(2, 3, 1.0 / 3.0));
  EXPECT_EQ(read_file(path()),
            R"({"kind":"step","epoch":3,"step":19,"train_loss":0.25,"train_accuracy":0.875,)"
            R"("learning_rate":0.5,"images_per_second":200.0,"seconds":0.3333333333333333})"
            "\n");
}

TEST_F(MetricsLogTest, WritesTheFieldsOfAnEpoch) {
  MetricsLog log(1);
  log.on_run_begin(run());
  EpochEvent event = epoch_event(1, Metric::kValLoss, std::numeric_limits<double>::quiet_NaN());
  event.step = 16;
  event.train_loss = std::numeric_limits<double>::infinity();
  event.train_accuracy = 0.5;
  event.val_accuracy = 0.75;
  event.images_per_second = 400;
  event.seconds = 2.5;
  event.straggler = {.rank = 2, .excess = 0.25, .cause = Cause::kData};
  event.weights_digest = {1, 0xab};
  EXPECT_FALSE(log.on_epoch_end(event).stop);
  EXPECT_EQ(read_file(path()),
            R"({"kind":"epoch","epoch":2,"step":16,"train_loss":null,"train_accuracy":0.5,)"
            R"("val_loss":null,"val_accuracy":0.75,"learning_rate":0.5,)"
            R"("images_per_second":400.0,"seconds":2.5,)"
            R"("slowest_rank":2,"slowest_excess":0.25,"slowest_for":"data",)"
            R"("weights_digest":"000000000000000100000000000000ab"})"
            "\n");
}

TEST_F(MetricsLogTest, CutsOffWhatAResumedRunWritesAgain) {
  {
    MetricsLog log(5);
    log.on_run_begin(run());
    train(log, 1, 16);
  }
  RunEvent resumed = run();
  resumed.first_epoch = 1;
  resumed.first_step = 10;
  MetricsLog log(5);
  log.on_run_begin(resumed);
  EXPECT_EQ(outline(), " s5 e8 s10");
  train(log, 11, 24);
  EXPECT_EQ(outline(), " s5 e8 s10 s15 e16 s20 e24");
}

TEST_F(MetricsLogTest, CutsOffWhatARunThatWentBackWritesAgain) {
  MetricsLog log(5);
  log.on_run_begin(run());
  train(log, 1, 21);
  EXPECT_EQ(outline(), " s5 e8 s10 s15 e16 s20");
  RunEvent back = run();
  back.first_epoch = 1;
  back.first_step = 12;
  log.on_run_begin(back);
  EXPECT_EQ(outline(), " s5 e8 s10");
  train(log, 13, 16);
  EXPECT_EQ(outline(), " s5 e8 s10 s15 e16");
}

TEST_F(MetricsLogTest, KeepsAnEpochThatTheRunStateHolds) {
  {
    MetricsLog log(4);
    log.on_run_begin(run());
    train(log, 1, 16);
  }
  RunEvent after_epoch = run();
  after_epoch.first_epoch = 1;
  after_epoch.first_step = 8;
  MetricsLog(4).on_run_begin(after_epoch);
  EXPECT_EQ(outline(), " s4 s8 e8");

  RunEvent before_evaluation = after_epoch;
  before_evaluation.first_epoch = 0;
  MetricsLog(4).on_run_begin(before_evaluation);
  EXPECT_EQ(outline(), " s4 s8");
}

TEST_F(MetricsLogTest, CutsOffEverythingWhenARunBeginsAnew) {
  {
    MetricsLog log(1);
    log.on_run_begin(run());
    train(log, 1, 9);
  }
  MetricsLog log(1);
  log.on_run_begin(run());
  EXPECT_EQ(read_file(path()), "");
}

TEST_F(MetricsLogTest, DropsALineThatWasCutShort) {
  const std::string whole = R"({"kind":"step","epoch":1,"step":1})"
                            "\n";
  write_file_atomically(path(), whole + R"({"kind":"step","epoch":1,"st)");
  RunEvent resumed = run();
  resumed.first_step = 2;
  MetricsLog log(1);
  log.on_run_begin(resumed);
  EXPECT_EQ(read_file(path()), whole);
}

TEST_F(MetricsLogTest, WritesNothingWithoutAFolder) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  MetricsLog log(1);
  log.on_run_begin(run_event());
  train(log, 1, 8);
  fs::current_path(before);
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(MetricsLogTest, NamesTheFileThatCannotBeWritten) {
  RunEvent nowhere = run();
  nowhere.run_dir += "/missing";
  MetricsLog log(1);
  try {
    log.on_run_begin(nowhere);
    FAIL() << "opened a file in a folder that does not exist";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInternal);
    EXPECT_NE(std::string(error.what()).find("missing/metrics.jsonl"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("No such file"), std::string::npos);
  }
}

TEST_F(MetricsLogTest, WritesLaterWhatAFullDiskDidNotTake) {
  MetricsLog log(1);
  log.on_run_begin(run());
  log.on_step(step_event(0, 1, 0));
  const auto size = fs::file_size(path());
  {
    const FileSizeLimit limit(size + 20);  // part of a line
    log.on_step(step_event(0, 2, 0));
    log.on_step(step_event(0, 3, 0));
  }
  EXPECT_EQ(fs::file_size(path()), size + 20);
  log.on_step(step_event(0, 4, 0));
  EXPECT_EQ(outline(), " s1 s2 s3 s4");
}

TEST_F(MetricsLogTest, GoingBackKeepsWhatAFullDiskDidNotTake) {
  MetricsLog log(1);
  log.on_run_begin(run());
  log.on_step(step_event(0, 1, 0));
  {
    const FileSizeLimit limit(fs::file_size(path()) + 20);  // part of a line
    for (int step = 2; step <= 4; ++step) log.on_step(step_event(0, step, 0));
  }
  RunEvent back = run();
  back.first_step = 3;
  log.on_run_begin(back);
  EXPECT_EQ(outline(), " s1 s2 s3");
}

}  // namespace
}  // namespace lockstep
