// A convolution with a square kernel, as our own kernels see it; a dense layer is one over
// images of one pixel.
#pragma once

#include <cstdint>

#include "lockstep/core/batch.h"
#include "lockstep/model/layer_options.h"

namespace lockstep {

struct ConvOp;

struct ConvForm {
  ImageShape in, out;
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t dilation = 1;
  std::int64_t rows_before = 0;     // of zeros above the images
  std::int64_t columns_before = 0;  // of zeros left of them
  bool input_gradient = true;       // whether it is wanted
};

// Of an op without groups.
ConvForm form_of(const ConvOp& conv, const ImageShape& in, const ImageShape& out,
                 bool input_gradient);

// Whether our own kernels are for it: in fp32 any channels and filters. In bf16 filters a multiple
// of 16, any channels, and no gradient of the input wanted; or one of both a multiple of 16 and the
// other of 8. Dilation with a stride of 1 alone, and not where images are unfolded.
bool suits_conv_kernels(const ConvForm& form, Precision precision);

}  // namespace lockstep
