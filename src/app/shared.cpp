#include <cstdlib>
#include <filesystem>

#include "app/commands.h"
#include "lockstep/core/error.h"
#include "lockstep/run/trained_model.h"

namespace lockstep {

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
