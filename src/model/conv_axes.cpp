#include "model/conv_axes.h"

namespace lockstep {

Side rows_of(const ConvForm& form) { return {form.in.height, form.out.height, form.rows_before}; }
Side columns_of(const ConvForm& form) {
  return {form.in.width, form.out.width, form.columns_before};
}

Axis forward_axis(const ConvForm& form, const Side& side) {
  return {.inputs = side.inputs,
          .outputs = side.outputs,
          .taps = form.kernel,
          .step = form.stride,
          .dilation = form.dilation,
          .before = side.before,
          .stored = side.outputs};
}

Axis backward_axis(const ConvForm& form, const Side& side, std::int64_t part) {
  const std::int64_t place = part + side.before;
  const std::int64_t first = place % form.stride;
  const std::int64_t taps = first < form.kernel ? (form.kernel - 1 - first) / form.stride + 1 : 0;
  const std::int64_t last = first + (taps - 1) * form.stride;
  return {.inputs = side.outputs,
          .outputs = (side.inputs - part + form.stride - 1) / form.stride,
          .taps = taps,
          .dilation = form.dilation,
          .before = (last * form.dilation - place) / form.stride,
          .first = part,
          .apart = form.stride,
          .stored = side.inputs};
}

std::vector<std::int64_t> backward_taps(const ConvForm& form, const Side& side, std::int64_t part) {
  std::vector<std::int64_t> taps;
  for (std::int64_t tap = form.kernel - 1; tap >= 0; --tap) {
    if ((part + side.before - tap) % form.stride == 0) taps.push_back(tap);
  }
  return taps;
}

}  // namespace lockstep
