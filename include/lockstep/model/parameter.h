// The parameters of a network: what each is, and where it lies in the flat weights. Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/core/share.h"
#include "lockstep/model/options.h"

namespace lockstep {

enum class Role { kWeight, kBias, kScale, kShift, kRunningMean, kRunningVariance };

std::string_view name_of(Role role);
bool is_statistic(Role role);  // written by the passes, not by the optimizer

// Inputs and outputs of a unit, times the kernel's area; inputs of its group alone.
struct Fans {
  double in = 0;
  double out = 0;
};

struct Parameter {
  std::string name;  // "<path of its primitive>.<role>", as "0.conv.weight"
  Role role;
  std::vector<std::int64_t> shape;  // conv weight: [filters, kernel, kernel, inputs / groups];
                                    // dense weight: [units, inputs]; others: [channels]
  Range range;                      // of the flat weights
  Initializer initializer = Initializer::kGlorotUniform;  // of a weight, and of its bias
  Fans fans = {};                                         // likewise
  float momentum = 0;                                     // of a statistic
  bool frozen = false;  // as it begins so it stays; it has no gradient
};

// Where the next parameter starts after so many floats: at a multiple of 16, a cache line.
constexpr std::int64_t aligned(std::int64_t floats) { return (floats + 15) / 16 * 16; }

// Floats of the flat weights, with gaps.
struct FlatSizes {
  std::int64_t trainable = 0;
  std::int64_t changing = 0;  // and of the statistics behind them
  std::int64_t total = 0;     // and of what is frozen
};

// Numbers of a graph's trainable parameters, and of its statistics.
enum class ParameterId : std::size_t {};
enum class StatisticId : std::size_t {};

// Those of an op.
using ParameterIds = std::vector<ParameterId>;

}  // namespace lockstep
