#include "lockstep/callbacks/make_callbacks.h"

#include <gtest/gtest.h>

#include <string>

namespace lockstep {
namespace {

std::string names(const CallbackOptions& options) {
  std::string text;
  for (const auto& callback : make_callbacks(options, 50, {})) text += callback->name() + ' ';
  return text;
}

TEST(MakeCallbacks, LeavesOutWhatIsAbsent) {
  EXPECT_EQ(names({}), "metrics_log tensorboard status_file progress best_checkpoint ");
}

TEST(MakeCallbacks, AddsWhatTheExperimentHas) {
  CallbackOptions options;
  options.early_stopping.emplace();
  EXPECT_EQ(names(options),
            "metrics_log tensorboard status_file progress best_checkpoint early_stopping ");
  options.reduce_on_plateau.emplace();
  EXPECT_EQ(names(options),
            "metrics_log tensorboard status_file progress best_checkpoint reduce_on_plateau "
            "early_stopping ");
}

}  // namespace
}  // namespace lockstep
