// What the launcher asks of an experiment before it starts anything.

#include <nlohmann/json.hpp>
#include <string>

#include "app/commands.h"
#include "lockstep/callbacks/monitored_metric.h"

namespace lockstep {

namespace {

// As the experiment names them.
nlohmann::ordered_json files_of(const SourceOptions& source) {
  auto files = nlohmann::ordered_json::array();
  for (const std::string& file : {source.path, source.labels}) {
    if (!file.empty()) files.push_back(file);
  }
  return files;
}

}  // namespace

int run_needs(Communicator& comm, const CommandLine& line) {
  Experiment experiment;
  agree(comm, [&] {
    experiment = load_experiment(line.experiment, line.overrides);
    at_lines_of(line.experiment, line.overrides,
                [&] { make_network(experiment); });  // its layers fit
  });
  auto weights = nlohmann::ordered_json::array();
  if (experiment.initialize && !experiment.initialize->path.empty()) {
    weights.push_back(experiment.initialize->path);
  }
  const nlohmann::ordered_json needs = {
      {"name", experiment.name},
      {"lanes", experiment.parallel.lanes},
      {"gpus", experiment.device == Device::kCuda},
      {"train", files_of(experiment.data.train)},
      {"validation", files_of(experiment.data.validation.source)},
      {"test", files_of(experiment.data.test)},
      {"weights", weights},
      {"metric", MonitoredMetric(experiment.callbacks.best_checkpoint).name()}};
  if (comm.rank() == 0) print_json(needs);
  return 0;
}

}  // namespace lockstep
