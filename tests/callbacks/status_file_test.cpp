#include "lockstep/callbacks/status_file.h"

#include <unistd.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <regex>

#include "callbacks/events.h"

namespace lockstep {
namespace {

class StatusFileTest : public FolderTest {
 protected:
  nlohmann::json status() const {
    return nlohmann::json::parse(read_file(folder_ / "status.json"));
  }
};

TEST_F(StatusFileTest, SaysAtOnceThatTheRunBegan) {
  StatusFile file({});
  file.on_run_begin(run());
  const auto json = status();
  EXPECT_EQ(json.size(), 13U);
  EXPECT_EQ(json.at("state"), "running");
  EXPECT_EQ(json.at("epoch"), 1);
  EXPECT_EQ(json.at("step"), 0);
  EXPECT_EQ(json.at("steps_total"), 24);
  EXPECT_EQ(json.at("pid"), ::getpid());
  EXPECT_FALSE(json.at("host").get<std::string>().empty());
  for (const char* unknown :
       {"reason", "train_loss", "val_accuracy", "best", "images_per_second", "eta_seconds"}) {
    EXPECT_TRUE(json.at(unknown).is_null()) << unknown;
  }
  EXPECT_TRUE(std::regex_match(json.at("updated").get<std::string>(),
                               std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")));
}

TEST_F(StatusFileTest, SaysWhereAResumedRunIs) {
  StatusFile file({});
  RunEvent resumed = run();
  resumed.first_epoch = 1;
  resumed.first_step = 11;
  file.on_run_begin(resumed);
  EXPECT_EQ(status().at("epoch"), 2);
  EXPECT_EQ(status().at("step"), 11);
}

TEST_F(StatusFileTest, FollowsStepsOnceASecond) {
  StatusFile file({});
  file.on_run_begin(run());
  file.on_step(step_event(0, 1, 0.5));
  EXPECT_EQ(status().at("step"), 1);
  EXPECT_TRUE(status().at("eta_seconds").is_null());
  file.on_step(step_event(0, 2, 1.0));
  EXPECT_EQ(status().at("step"), 1);
  file.on_step(step_event(0, 3, 1.5));
  EXPECT_EQ(status().at("step"), 3);
  EXPECT_EQ(status().at("train_loss"), 0.25);
  EXPECT_EQ(status().at("images_per_second"), 200);
  EXPECT_EQ(status().at("eta_seconds"), 10.5);  // 21 steps of 0.5 s
}

TEST_F(StatusFileTest, TellsTheLastAndTheBestEvaluation) {
  StatusFile file({});
  file.on_run_begin(run());
  file.on_epoch_end(epoch_event(0, Metric::kValAccuracy, 0.75));
  file.on_epoch_end(epoch_event(1, Metric::kValAccuracy, 0.5));
  file.on_step(step_event(2, 1, 9));
  EXPECT_EQ(status().at("epoch"), 3);
  EXPECT_EQ(status().at("val_accuracy"), 0.5);
  EXPECT_EQ(status().at("best"), 0.75);
}

TEST_F(StatusFileTest, SaysThatTheRunIsDone) {
  StatusFile file({});
  file.on_run_begin(run());
  file.on_step(step_event(0, 1, 0.5));
  file.on_epoch_end(epoch_event(0, Metric::kValAccuracy, std::numeric_limits<double>::quiet_NaN()));
  EndEvent end;
  end.epochs = 1;
  end.step = 8;
  end.reason = "stopped by SIGTERM";
  file.on_run_end(end);
  EXPECT_EQ(status().at("state"), "done");
  EXPECT_EQ(status().at("reason"), "stopped by SIGTERM");
  EXPECT_EQ(status().at("epoch"), 1);
  EXPECT_EQ(status().at("step"), 8);
  EXPECT_EQ(status().at("eta_seconds"), 0);
  EXPECT_TRUE(status().at("val_accuracy").is_null());
  EXPECT_TRUE(status().at("best").is_null());
}

TEST_F(StatusFileTest, SaysHowElseARunMayEnd) {
  const std::pair<RunOutcome, const char*> cases[] = {{RunOutcome::kSaved, "saved"},
                                                      {RunOutcome::kDiverged, "diverged"},
                                                      {RunOutcome::kFailed, "failed"}};
  for (const auto& [outcome, state] : cases) {
    StatusFile file({});
    file.on_run_begin(run());
    file.on_step(step_event(1, 3, 0.5));
    EndEvent end;
    end.outcome = outcome;
    end.epochs = 1;
    end.step = 11;
    end.reason = "because";
    file.on_run_end(end);
    EXPECT_EQ(status().at("state"), state);
    EXPECT_EQ(status().at("reason"), "because");
    EXPECT_EQ(status().at("epoch"), 2);  // the one under way
    EXPECT_EQ(status().at("step"), 11);
    EXPECT_TRUE(status().at("eta_seconds").is_null());  // after a first step it is unknown
  }
}

TEST_F(StatusFileTest, ARunUnderWayIsMarkedAsFailed) {
  mark_as_failed(folder_, "no file, no harm");
  EXPECT_TRUE(fs::is_empty(folder_));
  StatusFile file({});
  file.on_run_begin(run());
  file.on_step(step_event(0, 3, 5));
  mark_as_failed(folder_, "rank 1 died");
  EXPECT_EQ(status().at("state"), "failed");
  EXPECT_EQ(status().at("reason"), "rank 1 died");
  EXPECT_EQ(status().at("step"), 3);
  EXPECT_TRUE(status().at("eta_seconds").is_null());
  EndEvent end;
  end.reason = "all epochs done";
  file.on_run_end(end);
  mark_as_failed(folder_, "too late");
  EXPECT_EQ(status().at("state"), "done");
  EXPECT_EQ(status().at("reason"), "all epochs done");
}

TEST_F(StatusFileTest, KnowsTheBestAfterAResume) {
  StatusFile before({});
  before.on_epoch_end(epoch_event(0, Metric::kValAccuracy, 0.7));
  StatusFile after({});
  after.load_state(before.save_state());
  after.on_run_begin(run());
  EXPECT_EQ(status().at("best"), 0.7);
}

TEST_F(StatusFileTest, WritesNothingWithoutAFolder) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  StatusFile file({});
  file.on_run_begin(run_event());
  file.on_step(step_event(0, 1, 5));
  file.on_run_end({});
  fs::current_path(before);
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(StatusFileTest, LeavesNoOtherFile) {
  StatusFile file({});
  file.on_run_begin(run());
  file.on_step(step_event(0, 1, 5));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

}  // namespace
}  // namespace lockstep
