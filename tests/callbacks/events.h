// Events for the tests of callbacks.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "lockstep/callbacks/options.h"
#include "lockstep/core/files.h"
#include "lockstep/train/callback.h"

namespace lockstep {

// A run of 3 epochs on 997 rows in batches of 100, of which 199 are for validation.
inline RunEvent run_event() {
  RunEvent event;
  event.data.training_rows = 798;
  event.data.validation_rows = 199;
  event.epochs = 3;
  event.steps_per_epoch = 8;
  event.global_batch = 100;
  event.world_size = 3;
  return event;
}

// An epoch whose `metric` has this value and whose other metric is 0.
inline EpochEvent epoch_event(int epoch, Metric metric, double value) {
  EpochEvent event;
  event.epoch = epoch;
  event.learning_rate = 0.5;
  (metric == Metric::kValLoss ? event.val_loss : event.val_accuracy) = value;
  return event;
}

inline StepEvent step_event(int epoch, std::int64_t epoch_step, double seconds) {
  StepEvent event;
  event.epoch = epoch;
  event.step = 8 * epoch + epoch_step;
  event.epoch_step = epoch_step;
  event.train_loss = 0.25;
  event.train_accuracy = 0.875;
  event.learning_rate = 0.5;
  event.images_per_second = 200;
  event.seconds = seconds;
  return event;
}

// A test with an empty folder of its own, removed after it.
class FolderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "callbacks-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  RunEvent run() const {
    RunEvent event = run_event();
    event.run_dir = folder_.string();
    return event;
  }

  fs::path folder_;
};

}  // namespace lockstep
