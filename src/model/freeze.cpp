#include "model/freeze.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <variant>
#include <vector>

#include "lockstep/core/error.h"
#include "lockstep/core/names.h"
#include "lockstep/core/pattern.h"

namespace lockstep {

namespace {

constexpr const char* kField = "initialize.freeze";

bool is_trainable(const Parameter& parameter) { return !is_statistic(parameter.role); }

// "0.conv" of "0.conv.weight".
std::string layer_of(const std::string& name) { return name.substr(0, name.rfind('.')); }

// A pattern that is for none is a slip, which would train what shall stay.
void check_patterns(const Graph& graph, std::span<const std::string> patterns) {
  for (const std::string& written : patterns) {
    const std::string_view pattern = std::string_view(written).substr(written.starts_with('!'));
    const bool used =
        std::any_of(graph.parameters.begin(), graph.parameters.end(), [&](const Parameter& each) {
          return is_trainable(each) && stands_for(pattern, each.name);
        });
    if (used) continue;
    std::vector<std::string> names;
    for (const Parameter& each : graph.parameters) {
      if (is_trainable(each)) names.push_back(each.name);
    }
    fail_usage("{}: \"{}\" is for no trainable parameter; expected one as \"{}\", or \"{}.*\"{}",
               kField, written, names.front(), layer_of(names.front()),
               did_you_mean(pattern, names));
  }
}

// Those of a batch norm stay where its scale and shift do, as in Keras.
void freeze_statistics(Graph& graph) {
  for (const Primitive& primitive : graph.primitives) {
    const auto* norm = std::get_if<BatchNormOp>(&primitive.work);
    if (norm == nullptr) continue;
    const bool frozen = graph.parameter(norm->scale).frozen && graph.parameter(norm->shift).frozen;
    for (const StatisticId id : {norm->running_mean, norm->running_variance}) {
      graph.parameters[graph.trainable_count + static_cast<std::size_t>(id)].frozen = frozen;
    }
  }
}

// Trainable parameters stand in the order of their layers.
void count_in_layers(Graph& graph) {
  auto parameter = graph.parameters.begin();
  for (LayerInfo& layer : graph.layers) {
    for (std::int64_t left = layer.trainable_parameters; left > 0; ++parameter) {
      left -= parameter->range.size();
      if (parameter->frozen) layer.trainable_parameters -= parameter->range.size();
    }
  }
}

// Whether some parameter of the op has a gradient.
bool is_trained(const Graph& graph, const Op& op) {
  const ParameterIds ids =
      std::visit([](const auto& work) -> ParameterIds { return work.parameters(); }, op.work);
  return std::any_of(ids.begin(), ids.end(),
                     [&](ParameterId id) { return !graph.parameter(id).frozen; });
}

}  // namespace

FlatSizes freeze(Graph& graph, std::span<const std::string> patterns) {
  FlatSizes sizes{graph.trainable_size(), graph.total_size(), graph.total_size()};
  if (patterns.empty()) return sizes;
  check_patterns(graph, patterns);
  for (Parameter& each : graph.parameters) {
    each.frozen = is_trainable(each) && chooses(patterns, each.name);
  }
  freeze_statistics(graph);
  count_in_layers(graph);
  std::int64_t end = 0;
  const auto place = [&](const auto& is_placed) {
    for (Parameter& each : graph.parameters) {
      if (!is_placed(each)) continue;
      each.range = {end, end + each.range.size()};
      end = aligned(each.range.last);
    }
    return end;
  };
  sizes.trainable = place([](const auto& each) { return !each.frozen && is_trainable(each); });
  sizes.changing = place([](const auto& each) { return !each.frozen && !is_trainable(each); });
  sizes.total = place([](const auto& each) { return each.frozen; });
  if (sizes.trainable == 0) fail_usage("{}: nothing is left to train", kField);
  return sizes;
}

std::vector<std::uint8_t> values_with_gradients(const Graph& graph, const Plan& plan) {
  std::vector<std::uint8_t> values(graph.values.size(), 0);
  const auto at = [&](const Operand& operand) -> std::uint8_t& {
    return values[static_cast<std::size_t>(operand.id)];
  };
  for (const Op& op : plan) {
    const bool passed_on =
        std::any_of(op.in.begin(), op.in.end(), [&](const Operand& in) { return at(in) != 0; });
    at(op.out) = passed_on || is_trained(graph, op) ? 1 : 0;
  }
  return values;
}

}  // namespace lockstep
