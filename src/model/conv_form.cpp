#include "model/conv_form.h"

#include "lockstep/model/plan.h"
#include "model/conv_kernels.h"
#include "model/unfolding.h"

namespace lockstep {

ConvForm form_of(const ConvOp& conv, const ImageShape& in, const ImageShape& out,
                 bool input_gradient) {
  return {.in = in,
          .out = out,
          .kernel = conv.kernel,
          .stride = conv.stride,
          .dilation = conv.dilation,
          .rows_before = conv.rows.before,
          .columns_before = conv.columns.before,
          .input_gradient = input_gradient};
}

bool suits_conv_kernels(const ConvForm& form, Precision precision) {
  const bool is_unfolded = unfolds(form);
  if (form.dilation != 1 && (is_unfolded || form.stride != 1)) return false;
  if (is_unfolded && is_too_large_unfolded(form)) return false;
  if (precision == Precision::kFp32) return true;
  const auto divide = [&form](int channels, int filters) {
    return form.in.channels % channels == 0 && form.out.channels % filters == 0;
  };
  constexpr int kHalf = kFiltersOfVector / 2;
  if (is_unfolded) return divide(1, kFiltersOfVector);
  return divide(kFiltersOfVector, kHalf) || divide(kHalf, kFiltersOfVector);
}

}  // namespace lockstep
