// What `train`, `bench` and `plan` begin with.

#include <spdlog/spdlog.h>

#include <algorithm>

#include "app/commands.h"
#include "lockstep/core/error.h"
#include "lockstep/core/text.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/train/update_parts.h"

namespace lockstep {

namespace {

void check_world(const Communicator& comm, const Experiment& experiment) {
  const int lanes = experiment.parallel.lanes;
  if (comm.world_size() <= lanes) return;
  fail_usage(
      "{} ranks, but training.lanes is {}, so at most {} of them would have work; start "
      "fewer ranks or set training.lanes={}",
      comm.world_size(), lanes, lanes, comm.world_size());
}

Precision available_precision(const Communicator& comm, Precision wanted) {
  if (wanted != Precision::kBf16 || has_bf16_instructions()) return wanted;
  if (comm.rank() == 0) {
    spdlog::warn(
        "training.precision is BF16, but this processor has no bf16 instructions (AVX512-BF16): "
        "training in FP32");
  }
  return Precision::kFp32;
}

}  // namespace

int classes_of_part(const Experiment& experiment, int found) {
  return std::max({found, kFewestClasses, experiment.evaluation.top_k + 1,
                   static_cast<int>(experiment.train.class_weights.size())});
}

void take_classes(Communicator& comm, const CommandLine& line, PreparedExperiment& prepared,
                  const DataOptions& found) {
  if (prepared.experiment.data.classes != 0) return;
  agree(comm, [&] {
    at_lines_of(line.experiment, line.overrides, [&] {
      settle_classes(prepared.experiment, found.classes);
      prepared.network = std::make_unique<Network>(make_network(prepared.experiment));
    });
  });
}

TrainingData load_training_data(Communicator& comm, const CommandLine& line,
                                PreparedExperiment& prepared) {
  TrainingData data = load_training_data(comm, prepared.experiment);
  take_classes(comm, line, prepared, data.options());
  return data;
}

PreparedExperiment prepare(Communicator& comm, const CommandLine& line) {
  PreparedExperiment prepared;
  agree(comm, [&] {
    prepared.experiment = load_experiment(line.experiment, line.overrides);
    if (line.print_config) return;
    check_world(comm, prepared.experiment);
    at_lines_of(line.experiment, line.overrides, [&] {
      prepared.network = std::make_unique<Network>(make_network(prepared.experiment));
      update_parts(*prepared.network, prepared.experiment.train);  // groups that match nothing
    });
  });
  check_same(comm, "experiment", "xxh3:" + digest_of(prepared.experiment).hex(),
             "give all ranks the same file and overrides");
  if (line.print_config) return prepared;
  prepared.device = choose_device(comm, prepared.experiment.device);
  if (prepared.device.gpu == nullptr) {
    Precision& precision = prepared.experiment.parallel.precision;
    precision = available_precision(comm, precision);
  }
  return prepared;
}

}  // namespace lockstep
