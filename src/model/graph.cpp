#include "lockstep/model/graph.h"

namespace lockstep {

std::int64_t Graph::total_size() const {
  return parameters.empty() ? 0 : aligned(parameters.back().range.last);
}

std::int64_t Graph::trainable_size() const {
  return trainable_count == 0 ? 0 : aligned(parameters[trainable_count - 1].range.last);
}

std::string_view name_of(Role role) {
  switch (role) {
    case Role::kWeight:
      return "weight";
    case Role::kBias:
      return "bias";
    case Role::kScale:
      return "scale";
    case Role::kShift:
      return "shift";
    case Role::kRunningMean:
      return "running_mean";
    case Role::kRunningVariance:
      return "running_variance";
  }
  return "";
}

bool is_statistic(Role role) {
  return role == Role::kRunningMean || role == Role::kRunningVariance;
}

}  // namespace lockstep
