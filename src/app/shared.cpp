#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/run/trained_model.h"

namespace lockstep {

std::string below_root(const std::string& path) {
  const char* root = std::getenv("LOCKSTEP_ROOT");
  if (root == nullptr || path.empty()) return path;
  return (std::filesystem::path(root) / path).lexically_normal().string();
}

SourceOptions below_root(SourceOptions source) {
  source.path = below_root(source.path);
  source.labels = below_root(source.labels);
  return source;
}

std::optional<InitialWeights> find_initial_weights(Communicator& comm, const Experiment& experiment,
                                                   const Network& network) {
  const auto& initialize = experiment.initialize;
  if (!initialize || initialize->path.empty()) return std::nullopt;
  return load_initial_weights(comm, network, *initialize, below_root(initialize->path),
                              experiment.seed);
}

void check_out(Communicator& comm, const std::string& out) {
  agree(comm, [&] {
    const fs::path folder = fs::path(out).parent_path();
    if (comm.rank() != 0) return;
    if (!folder.empty() && !fs::is_directory(folder)) {
      fail_usage("--out {}: there is no folder {}", out, folder.string());
    }
    if (fs::is_directory(out)) fail_usage("--out {}: is a folder; expected a file", out);
  });
}

void print_json(const nlohmann::ordered_json& json) {
  using Handler = nlohmann::ordered_json::error_handler_t;
  fmt::print("{}\n", json.dump(2, ' ', false, Handler::replace));
}

Experiment with_found(const Experiment& experiment, const TrainingData& data) {
  Experiment found = experiment;
  found.data = data.options();
  found.data.train = experiment.data.train;
  found.data.validation.source = experiment.data.validation.source;
  return found;
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
  options.validation.source = below_root(options.validation.source);
  check_same_source(comm, options.train);
  check_same_source(comm, options.validation.source);
  return TrainingData(comm, options, experiment.parallel.lanes, experiment.seed);
}

}  // namespace lockstep
