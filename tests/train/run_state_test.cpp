#include "lockstep/train/run_state.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "lockstep/core/error.h"

namespace lockstep {
namespace {

using Json = nlohmann::json;

RunState state_with_extremes() {
  RunState state;
  state.loop.epoch = std::numeric_limits<int>::max();
  state.loop.step = std::int64_t{1} << 53;
  state.loop.best_epoch = -1;
  state.loop.loss_sum = std::numeric_limits<double>::infinity();
  state.loop.loss_weight = 1.0 / 7;
  state.loop.rate_factor = std::numeric_limits<double>::denorm_min();
  state.loop.min_rate = 1.0 / 3;
  state.loop.reason = "a \"reason\"\n";
  state.callbacks = {{"early_stopping", "{}"}, {"progress", ""}};
  state.seed = std::numeric_limits<std::uint64_t>::max();
  state.world_size = 3;
  return state;
}

CheckpointFiles files_of(const RunState& state) {
  const Network network({{FlattenOptions{}, DenseOptions{.units = 2}}}, {1, 3, 1}, 2);
  const std::vector<float> weights = network.initial_weights(1);
  const Optimizer optimizer(SgdOptions{}, network.trainable_size());
  return to_files(state, network, weights, optimizer, {});
}

// The message with which state.json is refused after `change`; empty if it is not.
std::string refusal(const std::function<void(Json&)>& change) {
  CheckpointFiles files = files_of(state_with_extremes());
  Json json = Json::parse(files.at("state.json"));
  change(json);
  files["state.json"] = json.dump();
  try {
    read_run_state(files);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage) << error.what();
    return error.what();
  }
  return {};
}

TEST(RunState, ComesBackAsItWas) {
  const RunState state = state_with_extremes();
  const RunState read = read_run_state(files_of(state));
  EXPECT_EQ(read.loop, state.loop);
  EXPECT_EQ(read.callbacks, state.callbacks);
  EXPECT_EQ(read.seed, state.seed);
  EXPECT_EQ(read.world_size, state.world_size);
}

TEST(RunState, OfAnEarlierVersionCountsSamplesAsWeights) {
  RunState state;
  state.loop.samples = 96;
  state.loop.loss_weight = 48;
  CheckpointFiles files = files_of(state);
  EXPECT_EQ(read_run_state(files).loop.loss_weight, 48);
  Json json = Json::parse(files.at("state.json"));
  json["loop"].erase("loss_weight");
  files["state.json"] = json.dump();
  EXPECT_EQ(read_run_state(files).loop.loss_weight, 96);
}

TEST(RunState, NumbersThatDoNotFitAreRefused) {
  EXPECT_EQ(refusal([](Json&) {}), "");
  for (const Json& value : {Json(1e300), Json(1.5), Json(std::uint64_t{1} << 31), Json("1"),
                            Json(true), Json(nullptr)}) {
    const auto set = [&](Json& json) { json["loop"]["epoch"] = value; };
    EXPECT_NE(refusal(set), "") << value;
  }
  EXPECT_NE(refusal([](Json& json) { json["loop"]["step"] = std::uint64_t{1} << 63; }), "");
  EXPECT_NE(refusal([](Json& json) { json["seed"] = -1; }), "");
  EXPECT_NE(refusal([](Json& json) { json["world_size"] = 4.0; }), "");
}

TEST(RunState, NumbersThatNoTrainingComesToAreRefused) {
  const std::vector<std::pair<const char*, Json>> cases = {{"epoch", -5},
                                                           {"epoch_step", -1},
                                                           {"epoch_step", std::int64_t{1} << 60},
                                                           {"step", -3},
                                                           {"updates", -9},
                                                           {"skipped_in_row", -1},
                                                           {"samples", -1},
                                                           {"correct", -1},
                                                           {"rate_factor", "inf"},
                                                           {"rate_factor", "nan"},
                                                           {"min_rate", "-inf"},
                                                           {"recovery_factor", "0x0p+0"},
                                                           {"diverged_step", -1},
                                                           {"best_epoch", -2},
                                                           {"best_step", -1},
                                                           {"step", (std::uint64_t{1} << 63) - 1}};
  for (const auto& [key, value] : cases) {
    const std::string message = refusal([&](Json& json) { json["loop"][key] = value; });
    EXPECT_NE(message.find(key), std::string::npos) << key << " " << value << ": " << message;
  }
}

TEST(RunState, RealsMustBeWholeTexts) {
  for (const char* text : {"", "x", "1", " 0x1p+0", "0x1p+0 ", "0x1p+99999", "1e999"}) {
    EXPECT_NE(refusal([&](Json& json) { json["loop"]["loss_sum"] = text; }), "") << text;
  }
}

}  // namespace
}  // namespace lockstep
