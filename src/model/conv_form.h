// A convolution with a square kernel, as our own kernels see it; a dense layer is one over
// images of one pixel.
#pragma once

#include <cstdint>

#include "lockstep/core/batch.h"

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

}  // namespace lockstep
