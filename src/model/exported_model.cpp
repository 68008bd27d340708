#include "lockstep/model/exported_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "lockstep/core/error.h"

namespace lockstep {

std::span<const float> ExportedModel::parameter(std::size_t index, const std::string& role) const {
  const std::string prefix = fmt::format("{}.", index);
  for (const Parameter& each : network.parameters()) {
    if (!each.name.starts_with(prefix) || !each.name.ends_with("." + role)) continue;
    return weights.subspan(static_cast<std::size_t>(each.range.first),
                           static_cast<std::size_t>(each.range.last - each.range.first));
  }
  fail_internal("layer {} has no parameter \"{}\"", index, role);
}

Margins margins_of(const ConvOptions& conv, const ImageShape& input) {
  if (conv.padding == Padding::kValid) return {};
  // Height and width are equal where the stride is above 1, and do not matter otherwise.
  const int outputs = (input.height + conv.stride - 1) / conv.stride;
  const int total = std::max((outputs - 1) * conv.stride + conv.kernel - input.height, 0);
  return {total / 2, total - total / 2};
}

int stride_of(const MaxPoolOptions& pool) { return pool.stride == 0 ? pool.size : pool.stride; }

}  // namespace lockstep
