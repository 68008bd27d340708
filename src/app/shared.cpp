#include <sched.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "app/commands.h"
#include "app/trained_model.h"
#include "lockstep/core/error.h"
#include "lockstep/model/lane_executor.h"

namespace lockstep {

int worker_count(const Communicator& comm, int threads) {
  if (threads > 0) return threads;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  const int count = ::sched_getaffinity(0, sizeof(cores), &cores) == 0 ? CPU_COUNT(&cores) : 1;
  return std::max(count / comm.node_size(), 1);
}

SourceOptions below_root(SourceOptions source) {
  const char* root = std::getenv("LOCKSTEP_ROOT");
  if (root == nullptr) return source;
  const auto place = [&](std::string& path) {
    if (!path.empty()) path = (std::filesystem::path(root) / path).lexically_normal().string();
  };
  place(source.path);
  place(source.labels);
  return source;
}

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

PreparedExperiment prepare(Communicator& comm, const CommandLine& line) {
  PreparedExperiment prepared;
  agree(comm, [&] {
    prepared.experiment = load_experiment(line.experiment, line.overrides);
    if (line.print_config) return;
    check_world(comm, prepared.experiment);
    prepared.network =
        std::make_unique<Network>(prepared.experiment.model, prepared.experiment.data.shape,
                                  prepared.experiment.data.classes);
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

TrainSettings train_settings(const Experiment& experiment, const std::filesystem::path& run_dir) {
  TrainSettings settings;
  settings.parallel = experiment.parallel;
  settings.train = experiment.train;
  settings.checkpoint = experiment.checkpoint;
  settings.seed = experiment.seed;
  settings.class_names = class_names_of(experiment.data);
  settings.run_dir = run_dir;
  return settings;
}

TrainingData load_training_data(Communicator& comm, const Experiment& experiment) {
  DataOptions options = experiment.data;
  options.train = below_root(options.train);
  check_same_source(comm, options.train);
  return TrainingData(comm, options, experiment.parallel.lanes, experiment.seed);
}

}  // namespace lockstep
