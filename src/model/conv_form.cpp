#include "model/conv_form.h"

#include "lockstep/model/plan.h"

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

}  // namespace lockstep
