#include "lockstep/train/run_state.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "lockstep/core/error.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kOptimizerFile = "optimizer.safetensors";

const std::string& file(const CheckpointFiles& files, const char* name) {
  const auto found = files.find(name);
  if (found == files.end()) fail_usage("the checkpoint has no {}", name);
  return found->second;
}

// As text in base 16, so that every double comes back as it was, finite or not.
std::string exact(double value) { return fmt::format("{:a}", value); }
double from_exact(const Json& json) {
  const auto text = json.get<std::string>();
  const double value = std::stod(text);
  if (exact(value) != text) throw std::out_of_range(text);
  return value;
}

// The JSON library would cut a fraction off and wrap a number that does not fit.
template <typename Whole>
void read_whole(const Json& json, Whole& to) {
  const bool fits = json.is_number_unsigned() ? std::in_range<Whole>(json.get<std::uint64_t>())
                                              : json.is_number_integer() &&
                                                    std::in_range<Whole>(json.get<std::int64_t>());
  if (!fits) throw std::out_of_range(json.dump());
  json.get_to(to);
}

Json to_json(const LoopState& loop) {
  return {{"epoch", loop.epoch},
          {"epoch_step", loop.epoch_step},
          {"step", loop.step},
          {"updates", loop.updates},
          {"skipped_in_row", loop.skipped_in_row},
          {"loss_sum", exact(loop.loss_sum)},
          {"loss_weight", exact(loop.loss_weight)},
          {"correct", loop.correct},
          {"samples", loop.samples},
          {"rate_factor", exact(loop.rate_factor)},
          {"min_rate", exact(loop.min_rate)},
          {"recovery_factor", exact(loop.recovery_factor)},
          {"diverged_step", loop.diverged_step},
          {"best_epoch", loop.best_epoch},
          {"best_step", loop.best_step},
          {"restore_best", loop.restore_best},
          {"stopped", loop.stopped},
          {"reason", loop.reason}};
}

// What no training can have come to.
void check_ranges(const LoopState& loop) {
  const auto require = [](bool holds, const char* name, auto value) {
    if (!holds) fail_usage("{} is {}, which no training comes to", name, value);
  };
  constexpr std::int64_t kMostSteps = std::int64_t{1} << 53;
  require(loop.step >= 0 && loop.step <= kMostSteps, "step", loop.step);
  require(loop.epoch >= 0, "epoch", loop.epoch);
  require(loop.epoch_step >= 0 && loop.epoch_step <= loop.step, "epoch_step", loop.epoch_step);
  require(loop.updates >= 0 && loop.updates <= loop.step, "updates", loop.updates);
  require(loop.skipped_in_row >= 0 && loop.skipped_in_row <= loop.step, "skipped_in_row",
          loop.skipped_in_row);
  require(loop.samples >= 0, "samples", loop.samples);
  require(loop.correct >= 0 && loop.correct <= loop.samples, "correct", loop.correct);
  require(std::isfinite(loop.rate_factor) && loop.rate_factor >= 0, "rate_factor",
          loop.rate_factor);
  require(std::isfinite(loop.min_rate) && loop.min_rate >= 0, "min_rate", loop.min_rate);
  require(loop.recovery_factor > 0 && loop.recovery_factor <= 1, "recovery_factor",
          loop.recovery_factor);
  require(loop.diverged_step >= 0 && loop.diverged_step <= kMostSteps, "diverged_step",
          loop.diverged_step);
  require(loop.best_epoch >= -1 && loop.best_epoch <= loop.epoch, "best_epoch", loop.best_epoch);
  require(loop.best_step >= 0 && loop.best_step <= loop.step, "best_step", loop.best_step);
}

LoopState loop_from(const Json& json) {
  LoopState loop;
  read_whole(json.at("epoch"), loop.epoch);
  read_whole(json.at("epoch_step"), loop.epoch_step);
  read_whole(json.at("step"), loop.step);
  read_whole(json.at("updates"), loop.updates);
  read_whole(json.at("skipped_in_row"), loop.skipped_in_row);
  loop.loss_sum = from_exact(json.at("loss_sum"));
  read_whole(json.at("correct"), loop.correct);
  read_whole(json.at("samples"), loop.samples);
  loop.loss_weight = static_cast<double>(loop.samples);
  if (json.contains("loss_weight")) {  // not in the states of earlier versions, as below
    loop.loss_weight = from_exact(json.at("loss_weight"));
  }
  loop.rate_factor = from_exact(json.at("rate_factor"));
  loop.min_rate = from_exact(json.at("min_rate"));
  if (json.contains("recovery_factor")) {
    loop.recovery_factor = from_exact(json.at("recovery_factor"));
    read_whole(json.at("diverged_step"), loop.diverged_step);
  }
  read_whole(json.at("best_epoch"), loop.best_epoch);
  read_whole(json.at("best_step"), loop.best_step);
  json.at("restore_best").get_to(loop.restore_best);
  json.at("stopped").get_to(loop.stopped);
  json.at("reason").get_to(loop.reason);
  check_ranges(loop);
  return loop;
}

// Optimizer buffers go to disk parameter by parameter, named "<buffer>/<parameter>".
template <typename Use>
void for_each_moment(const Network& network, const Optimizer& optimizer, Use use) {
  for (std::size_t b = 0; b < optimizer.buffers().size(); ++b) {
    for (const Parameter& parameter : network.parameters()) {
      if (parameter.range.last > network.trainable_size()) continue;
      use(b, optimizer.buffers()[b].name + "/" + parameter.name, parameter);
    }
  }
}

std::size_t first_of(const Parameter& parameter) {
  return static_cast<std::size_t>(parameter.range.first);
}
std::size_t size_of(const Parameter& parameter) {
  return static_cast<std::size_t>(parameter.range.size());
}

void check_shape(const TensorView& tensor, const Parameter& parameter) {
  if (tensor.shape == parameter.shape) return;
  fail_usage("tensor \"{}\" has the shape [{}], the model's has [{}]", tensor.name,
             fmt::join(tensor.shape, ", "), fmt::join(parameter.shape, ", "));
}

}  // namespace

CheckpointFiles to_files(const RunState& state, const Network& network,
                         std::span<const float> values, const Optimizer& optimizer,
                         const Metadata& metadata) {
  std::vector<TensorView> moments;
  for_each_moment(network, optimizer,
                  [&](std::size_t buffer, const std::string& name, const Parameter& parameter) {
                    moments.push_back({name, parameter.shape,
                                       std::span<const float>(optimizer.buffers()[buffer].values)
                                           .subspan(first_of(parameter), size_of(parameter))});
                  });
  Json json;
  json["loop"] = to_json(state.loop);
  json["callbacks"] = state.callbacks;
  json["seed"] = state.seed;
  json["data_digest"] = state.data_digest;
  json["weights_digest"] = state.weights_digest;
  if (!state.initial_digest.empty()) json["initial_digest"] = state.initial_digest;
  if (!state.taken_statistics.empty()) json["taken_statistics"] = state.taken_statistics;
  json["world_size"] = state.world_size;
  return {{kWeightsFile, to_safetensors(tensors_of(network, values), metadata)},
          {kOptimizerFile, to_safetensors(moments, {})},
          {kStateFile, json.dump(2) + "\n"}};
}

RunState read_run_state(const CheckpointFiles& files) {
  try {
    const Json json = Json::parse(file(files, kStateFile));
    RunState state;
    state.loop = loop_from(json.at("loop"));
    json.at("callbacks").get_to(state.callbacks);
    read_whole(json.at("seed"), state.seed);
    json.at("data_digest").get_to(state.data_digest);
    json.at("weights_digest").get_to(state.weights_digest);
    if (json.contains("initial_digest")) json.at("initial_digest").get_to(state.initial_digest);
    if (json.contains("taken_statistics")) {
      json.at("taken_statistics").get_to(state.taken_statistics);
    }
    read_whole(json.at("world_size"), state.world_size);
    return state;
  } catch (const std::logic_error&) {
    fail_usage("{} is not what lockstep writes", kStateFile);
  } catch (const nlohmann::json::exception& error) {
    fail_usage("{} is not what lockstep writes: {}", kStateFile, error.what());
  }
}

std::vector<float> read_weights(const CheckpointFiles& files, const Network& network) {
  return weights_from(network, SafetensorsFile(file(files, kWeightsFile), kWeightsFile));
}

std::vector<float> read_training_weights(const CheckpointFiles& files, const Network& network) {
  const auto found = files.find(kTrainingWeights);
  if (found == files.end()) return read_weights(files, network);
  return weights_from(network, SafetensorsFile(found->second, kTrainingWeights));
}

void read_optimizer(const CheckpointFiles& files, const Network& network, Optimizer& optimizer) {
  const SafetensorsFile moments(file(files, kOptimizerFile), kOptimizerFile);
  for_each_moment(network, optimizer,
                  [&](std::size_t buffer, const std::string& name, const Parameter& parameter) {
                    const TensorView& tensor = moments.tensor(name);
                    check_shape(tensor, parameter);
                    std::copy(tensor.values.begin(), tensor.values.end(),
                              optimizer.buffers()[buffer].values.begin() + parameter.range.first);
                  });
}

std::vector<TensorView> tensors_of(const Network& network, std::span<const float> values) {
  std::vector<TensorView> tensors;
  for (const Parameter& parameter : network.parameters()) {
    tensors.push_back(
        {parameter.name, parameter.shape, values.subspan(first_of(parameter), size_of(parameter))});
  }
  return tensors;
}

std::vector<float> weights_from(const Network& network, const SafetensorsFile& file) {
  if (file.tensors().size() != network.parameters().size()) {
    fail_usage("the file has {}, the model {}", count_of(file.tensors().size(), "tensor"),
               network.parameters().size());
  }
  // All of them first: only what the file really holds is worth memory.
  for (const Parameter& parameter : network.parameters()) {
    check_shape(file.tensor(parameter.name), parameter);
  }
  std::vector<float> weights(static_cast<std::size_t>(network.total_size()), 0.0F);
  for (const Parameter& parameter : network.parameters()) {
    const TensorView& tensor = file.tensor(parameter.name);
    std::copy(tensor.values.begin(), tensor.values.end(), weights.begin() + parameter.range.first);
  }
  return weights;
}

}  // namespace lockstep
