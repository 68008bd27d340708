// The reader of state.json: each value that it gives is the one that stands there.

#include "lockstep/train/run_state.h"

#include <nlohmann/json.hpp>

#include "fuzz/fuzz.h"

namespace lockstep::fuzz {

namespace {

using Json = nlohmann::json;

void expect_exact(const Json& json, double value) {
  expect_equal(json.get<std::string>(), fmt::format("{:a}", value), "reals");
}

void check_loop(const Json& json, const LoopState& loop) {
  expect_equal(json.at("epoch").dump(), Json(loop.epoch).dump(), "epochs");
  expect_equal(json.at("epoch_step").dump(), Json(loop.epoch_step).dump(), "steps of the epoch");
  expect_equal(json.at("step").dump(), Json(loop.step).dump(), "steps");
  expect_equal(json.at("updates").dump(), Json(loop.updates).dump(), "updates");
  expect_equal(json.at("skipped_in_row").dump(), Json(loop.skipped_in_row).dump(), "steps skipped");
  expect_exact(json.at("loss_sum"), loop.loss_sum);
  expect_equal(json.at("correct").dump(), Json(loop.correct).dump(), "counts of correct samples");
  expect_equal(json.at("samples").dump(), Json(loop.samples).dump(), "counts of samples");
  expect_exact(json.at("rate_factor"), loop.rate_factor);
  expect_exact(json.at("min_rate"), loop.min_rate);
  if (json.contains("recovery_factor")) {
    expect_exact(json.at("recovery_factor"), loop.recovery_factor);
    expect_equal(json.at("diverged_step").dump(), Json(loop.diverged_step).dump(), "divergences");
  }
  expect_equal(json.at("best_epoch").dump(), Json(loop.best_epoch).dump(), "best epochs");
  expect_equal(json.at("best_step").dump(), Json(loop.best_step).dump(), "best steps");
  expect_equal(json.at("restore_best").dump(), Json(loop.restore_best).dump(), "wishes");
  expect_equal(json.at("stopped").dump(), Json(loop.stopped).dump(), "ends");
  expect_equal(json.at("reason").dump(), Json(loop.reason).dump(), "reasons");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(text_of(data, size));
  const auto state = value_of([&] { return read_run_state({{"state.json", text}}); });
  if (!state) return 0;
  const Json json = Json::parse(text);
  check_loop(json.at("loop"), state->loop);
  expect_equal(json.at("callbacks").dump(), Json(state->callbacks).dump(), "callbacks");
  expect_equal(json.at("seed").dump(), Json(state->seed).dump(), "seeds");
  expect_equal(json.at("data_digest").dump(), Json(state->data_digest).dump(),
               "digests of the data");
  expect_equal(json.at("weights_digest").dump(), Json(state->weights_digest).dump(),
               "digests of the weights");
  expect_equal(json.at("world_size").dump(), Json(state->world_size).dump(), "world sizes");
  return 0;
}

}  // namespace lockstep::fuzz
