#include "lockstep/train/update_parts.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <string>

#include "lockstep/core/error.h"
#include "lockstep/core/names.h"
#include "lockstep/core/pattern.h"
#include "lockstep/train/optimizer.h"

namespace lockstep {

namespace {

constexpr std::size_t kMostLayersNamed = 40;

// "3.conv" of "3.conv.weight".
std::string path_of(const Parameter& parameter) {
  return parameter.name.substr(0, parameter.name.rfind('.'));
}

std::vector<const Parameter*> trainable(const Network& network) {
  std::vector<const Parameter*> parameters;
  for (const Parameter& parameter : network.parameters()) {
    if (!is_statistic(parameter.role) && !parameter.frozen) parameters.push_back(&parameter);
  }
  return parameters;
}

// Why a pattern matches none of the parameters that are trained.
std::string mismatch(const Network& network, const std::vector<std::string>& paths,
                     const std::string& pattern) {
  for (const Parameter& parameter : network.parameters()) {
    if (!parameter.frozen || !stands_for(pattern, parameter.name)) continue;
    return fmt::format("frozen parameters alone, as {}; expected some that are trained",
                       parameter.name);
  }
  return "no parameter" + did_you_mean(pattern, paths);
}

[[noreturn]] void fail_unmatched(const Network& network,
                                 const std::vector<const Parameter*>& parameters,
                                 const std::string& field, const std::string& pattern) {
  std::vector<std::string> paths;
  for (const Parameter* parameter : parameters) {
    if (paths.empty() || paths.back() != path_of(*parameter)) paths.push_back(path_of(*parameter));
  }
  const std::string why = mismatch(network, paths, pattern);
  const std::size_t all = paths.size();
  if (all > kMostLayersNamed) paths.resize(kMostLayersNamed);
  fail_usage("{} is \"{}\", which matches {} (there are those of {}{})", field, pattern, why,
             fmt::join(paths, ", "),
             all > paths.size() ? fmt::format(" and {} more", all - paths.size()) : "");
}

// By parameter, the index of its group, or -1.
std::vector<int> groups_of(const Network& network, const std::vector<const Parameter*>& parameters,
                           const std::vector<ParameterGroup>& groups) {
  std::vector<int> chosen(parameters.size(), -1);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (std::size_t k = 0; k < groups[g].layers.size(); ++k) {
      const std::string& pattern = groups[g].layers[k];
      bool matched = false;
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (!stands_for(pattern, parameters[i]->name)) continue;
        chosen[i] = static_cast<int>(g);
        matched = true;
      }
      if (!matched) {
        fail_unmatched(network, parameters, fmt::format("optimizer.group[{}].layers[{}]", g, k),
                       pattern);
      }
    }
  }
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (std::find(chosen.begin(), chosen.end(), static_cast<int>(g)) != chosen.end()) continue;
    fail_usage(
        "optimizer.group[{}] holds no parameter: later groups match all of its own; expected a "
        "parameter that is its alone",
        g);
  }
  return chosen;
}

UpdatePart::As as_what(const Parameter& parameter, UpdateKind kind, Decays decays) {
  const bool is_weight = parameter.role == Role::kWeight;
  if (has_trust_ratios(kind)) {
    return is_weight || decays == Decays::kAll ? UpdatePart::As::kAdapted
                                               : UpdatePart::As::kElements;
  }
  return kind == UpdateKind::kMuon && is_weight && parameter.shape.size() > 1
             ? UpdatePart::As::kMatrix
             : UpdatePart::As::kElements;
}

bool may_join(const UpdatePart& a, const UpdatePart& b) {
  return a.as == UpdatePart::As::kElements && b.as == a.as && a.rate_factor == b.rate_factor &&
         a.decay == b.decay;
}

}  // namespace

std::vector<UpdatePart> update_parts(const Network& network, const TrainOptions& options) {
  const std::vector<const Parameter*> parameters = trainable(network);
  const std::vector<int> groups = groups_of(network, parameters, options.groups);
  const UpdateKind kind = update_kind(options.optimizer);
  const float weight_decay = weight_decay_of(options.optimizer);
  std::vector<UpdatePart> parts;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Parameter& parameter = *parameters[i];
    ParameterGroup group;
    if (groups[i] >= 0) group = options.groups[static_cast<std::size_t>(groups[i])];
    const bool decays = parameter.role == Role::kWeight || options.decays == Decays::kAll;
    const std::int64_t end =
        i + 1 < parameters.size() ? parameters[i + 1]->range.first : network.trainable_size();
    UpdatePart part{.range = {parameter.range.first, end},
                    .rate_factor = group.rate_factor,
                    .decay = decays ? weight_decay * group.decay_factor : 0,
                    .as = as_what(parameter, kind, options.decays)};
    if (part.as == UpdatePart::As::kMatrix) {
      part.rows = parameter.shape[0];
      part.columns = parameter.range.size() / part.rows;
    }
    if (!parts.empty() && may_join(parts.back(), part)) {
      parts.back().range.last = end;
    } else {
      parts.push_back(part);
    }
  }
  return parts;
}

}  // namespace lockstep
