// The two directions of a convolution, forward and back, as correlations take them.
#pragma once

#include <cstdint>
#include <vector>

#include "model/conv_form.h"
#include "model/correlation.h"

namespace lockstep {

// One direction of a convolution.
struct Side {
  std::int64_t inputs, outputs, before;
};

Side rows_of(const ConvForm& form);
Side columns_of(const ConvForm& form);

Axis forward_axis(const ConvForm& form, const Side& side);

// Of the inputs part + o stride, o = 0, 1, ..., all of which take the same taps: the last one
// first, for which the outputs ascend.
Axis backward_axis(const ConvForm& form, const Side& side, std::int64_t part);
// The taps of the kernel that are a backward axis' taps.
std::vector<std::int64_t> backward_taps(const ConvForm& form, const Side& side, std::int64_t part);

}  // namespace lockstep
