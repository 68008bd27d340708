// One pass of an experiment's network, for tests that compare with other people's software:
// network_pass EXPERIMENT INPUT OUTPUT [--set's argument ...]. INPUT is a safetensors file of all
// parameters, of `images` [samples, height, width, channels] as the first layer takes them, and of
// `labels` [samples]; OUTPUT becomes one of the `logits` of an evaluation, and of `loss` and the
// gradients of a training step over all samples as one lane, both summed over samples.

#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "lockstep/checkpoint/safetensors.h"
#include "lockstep/config/experiment.h"
#include "lockstep/model/lane_executor.h"

namespace lockstep {
namespace {

void run(const std::string& experiment_path, const std::string& from, const std::string& to,
         const std::vector<std::string>& overrides) {
  const Experiment experiment = load_experiment(experiment_path, overrides);
  const Network network(experiment.model, experiment.data.shape, experiment.data.classes);
  const SafetensorsFile input(from);
  std::vector<float> values = network.initial_weights(1);
  for (const Parameter& parameter : network.parameters()) {
    const TensorView& tensor = input.tensor(parameter.name);
    if (tensor.shape != parameter.shape) throw std::runtime_error(parameter.name + ": its shape");
    std::copy(tensor.values.begin(), tensor.values.end(), values.begin() + parameter.range.first);
  }
  const TensorView& images = input.tensor("images");
  Batch batch;
  batch.size = static_cast<int>(images.shape.front());
  batch.images.assign(images.values.begin(), images.values.end());
  for (const float label : input.tensor("labels").values) {
    batch.rows.push_back(batch.rows.size());
    batch.labels.push_back(static_cast<std::int32_t>(label));
  }
  prepare_worker_thread();
  LaneExecutor lane(network, Precision::kFp32);
  const Weights weights(std::move(values), Precision::kFp32);
  std::vector<float> logits(static_cast<std::size_t>(batch.size * network.classes()));
  lane.infer(weights, batch, logits);
  std::vector<float> gradients(static_cast<std::size_t>(network.trainable_size()));
  std::vector<float> statistics(static_cast<std::size_t>(network.statistics_size()));
  const std::vector<float> loss{lane.train(weights, batch, {}, gradients, statistics).loss_sum};
  std::vector<TensorView> found{{"logits", {batch.size, network.classes()}, logits},
                                {"loss", {1}, loss}};
  for (const Parameter& parameter : network.parameters()) {
    if (is_statistic(parameter.role)) continue;
    found.push_back({parameter.name, parameter.shape,
                     std::span<const float>(gradients).subspan(
                         static_cast<std::size_t>(parameter.range.first),
                         static_cast<std::size_t>(parameter.range.size()))});
  }
  std::ofstream(to, std::ios::binary) << to_safetensors(found, {});
}

}  // namespace
}  // namespace lockstep

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  try {
    lockstep::run(argv[1], argv[2], argv[3], {argv + 4, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
