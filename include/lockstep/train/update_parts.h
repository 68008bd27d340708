// Which parameters are updated alike: their rate and decay, by role and by the groups of an
// experiment. Plain values.
#pragma once

#include <cstdint>
#include <vector>

#include "lockstep/core/share.h"
#include "lockstep/model/network.h"
#include "lockstep/train/options.h"

namespace lockstep {

// A part of the flat weights: neighbouring parameters with the gaps behind them; one alone
// where the optimizer looks at whole parameters.
struct UpdatePart {
  Range range;
  float rate_factor = 1;  // of the learning rate
  float decay = 0;        // weight decay
  enum class As { kElements, kAdapted, kMatrix } as = As::kElements;
  std::int64_t rows = 0;  // of a matrix: the first of its dimensions, the others its columns
  std::int64_t columns = 0;

  bool operator==(const UpdatePart&) const = default;
};

// Local. They cover the trainable parameters, ascending. Error (2) that names the setting, and
// the layers there are, where a pattern of a group matches no parameter, or all that a group
// matches belongs to later ones.
std::vector<UpdatePart> update_parts(const Network& network, const TrainOptions& options);

}  // namespace lockstep
