// lockstep inspect of an experiment: its network and its settings.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "app/commands.h"
#include "lockstep/core/error.h"
#include "lockstep/data/survey.h"
#include "lockstep/report/model_table.h"
#include "lockstep/train/update_parts.h"

namespace lockstep {

namespace {

using Json = nlohmann::ordered_json;

std::int64_t total_multiply_adds(const Network& network) {
  std::int64_t total = 0;
  for (const LayerInfo& layer : network.layers()) total += layer.multiply_adds;
  return total;
}

Json to_json(const Experiment& experiment, const Network& network) {
  Json json = {{"kind", "experiment"},
               {"name", experiment.name},
               {"parameters", network.parameter_count()},
               {"trainable_parameters", network.trainable_parameter_count()},
               {"multiply_adds", total_multiply_adds(network)},
               {"layers", Json::array()}};
  for (const LayerInfo& layer : network.layers()) {
    const ImageShape& output = layer.output;
    json["layers"].push_back({{"kind", layer.title},
                              {"depth", layer.depth},
                              {"part", layer.part},
                              {"output", {output.height, output.width, output.channels}},
                              {"parameters", layer.parameters},
                              {"trainable_parameters", layer.trainable_parameters},
                              {"multiply_adds", layer.multiply_adds}});
  }
  json["fields"] = fields_of(experiment);
  return json;
}

void print_layers(const Network& network) {
  std::size_t width = 5;
  for (const LayerInfo& layer : network.layers())
    width = std::max(width, indented_title(layer).size());
  fmt::print("{:>2}  {:<{}}  {:>12}  {:>10}  {:>12}\n", "", "layer", width, "output", "parameters",
             "MACs");
  fmt::print("{:>2}  {:<{}}  {:>12}\n", "", "input", width, shape_text(network.input()));
  int index = 0;
  for (const LayerInfo& layer : network.layers()) {
    const std::string number = layer.depth == 0 ? std::to_string(index++) : "";
    fmt::print("{:>2}  {:<{}}  {:>12}  {:>10}  {:>12}\n", number, indented_title(layer), width,
               shape_text(layer.output), layer.parameters, layer.multiply_adds);
  }
  fmt::print(
      "{} parameters, {} of them trainable; {} multiply-adds (MACs) a sample's forward pass\n",
      network.parameter_count(), network.trainable_parameter_count(), total_multiply_adds(network));
}

SourceSurvey survey_for_classes(const std::string& file, const Experiment& experiment) {
  constexpr const char* kInstead = "--set data.classes=10 shows the network of 10 classes";
  if (experiment.data.train.path.empty()) {
    fail_usage("{}: has neither data.classes nor data.train, where they are counted; {}", file,
               kInstead);
  }
  const auto alone = connect_self();
  try {
    return survey(*alone, below_root(experiment.data.train), experiment.data, Labels::kRequired);
  } catch (const Error& error) {
    if (error.code() != ExitCode::kUsage) throw;
    fail_usage("{}: has no data.classes, and they cannot be counted: {}; {}", file, error.what(),
               kInstead);
  }
}

// Takes those of the data, which an experiment need not say.
void count_classes(const std::string& file, Experiment& experiment) {
  if (experiment.data.classes != 0) return;
  const SourceSurvey source = survey_for_classes(file, experiment);
  const int found = source.options.classes;
  settle_classes(experiment, source.is_whole ? found : classes_of_part(experiment, found));
}

}  // namespace

void inspect_experiment(const CommandLine& line) {
  Experiment experiment = load_experiment(line.checkpoint, line.overrides, Check::kWithoutData);
  const Network network = at_lines_of(line.checkpoint, line.overrides, [&] {
    count_classes(line.checkpoint, experiment);
    Network made = make_network(experiment);
    update_parts(made, experiment.train);  // groups that match nothing are an error
    return made;
  });
  if (line.json) {
    print_json(to_json(experiment, network));
    return;
  }
  print_layers(network);
  fmt::print("\n{}", to_text_with_origins(line.checkpoint, line.overrides));
}

}  // namespace lockstep
