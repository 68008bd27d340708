// Parts of the reference in torch_reference.h that need no parameters, in double.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/hardtanh.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/tanh.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>

#include "lockstep/core/batch.h"
#include "lockstep/core/philox.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/model/options.h"

namespace lockstep::samples {

enum class Phase { kTrain, kInfer };

// What all layers of a pass share.
struct TorchPass {
  const std::map<std::string, at::Tensor>& parameters;  // by name
  const Batch& batch;
  LaneContext context;
  Phase phase;
};

inline at::Tensor activate(ActivationKind kind, const at::Tensor& x) {
  switch (kind) {
    case ActivationKind::kRelu:
      return at::relu(x);
    case ActivationKind::kLeakyRelu:
      return at::leaky_relu(x, 0.01);
    case ActivationKind::kGelu:
      return at::gelu(x);
    case ActivationKind::kSilu:
      return at::silu(x);
    case ActivationKind::kTanh:
      return at::tanh(x);
    case ActivationKind::kSigmoid:
      return at::sigmoid(x);
    case ActivationKind::kHardSwish:
      return at::hardswish(x);
    case ActivationKind::kRelu6:
      return at::hardtanh(x, 0, 6);
    case ActivationKind::kNone:
      break;
  }
  return x;
}

// The zeros that padding puts around x [samples, channels, height, width].
inline at::Tensor padded(const ConvOptions& conv, const at::Tensor& x) {
  const std::int64_t pixels = conv.padding_pixels;
  if (conv.padding != Padding::kSame) {
    return at::constant_pad_nd(x, {pixels, pixels, pixels, pixels});
  }
  const auto padding = [&](std::int64_t size) {
    const std::int64_t out = (size + conv.stride - 1) / conv.stride;
    const std::int64_t reach = conv.dilation * (conv.kernel - 1) + 1;
    return std::max<std::int64_t>((out - 1) * conv.stride + reach - size, 0);
  };
  const std::int64_t rows = padding(x.size(2));
  const std::int64_t columns = padding(x.size(3));
  return at::constant_pad_nd(x, {columns / 2, columns - columns / 2, rows / 2, rows - rows / 2});
}

// Element e (in the order of height, width, channels) of a sample is kept when its
// byte is not below the rate in 256ths.
inline at::Tensor drop(const DropoutOptions& dropout, std::uint32_t layer, const Batch& batch,
                       const LaneContext& context, const at::Tensor& x) {
  const auto limit = static_cast<std::uint32_t>(std::lround(dropout.rate * 256));
  const auto stream = philox(philox_key(context.seed, Purpose::kDropout),
                             {layer, static_cast<std::uint32_t>(context.epoch), 0, 0});
  at::Tensor mask = at::empty({x.size(0), x.size(2), x.size(3), x.size(1)}, at::kDouble);
  const std::int64_t elements = x[0].numel();
  double* to = mask.data_ptr<double>();
  for (const std::uint64_t row : batch.rows) {
    for (std::int64_t e = 0; e < elements; ++e) {
      const auto block =
          philox({stream[0], stream[1]},
                 {static_cast<std::uint32_t>(16 * (e / 256) + e % 64 / 4),
                  static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(row >> 32), 0});
      const std::uint32_t word = block[static_cast<std::size_t>(e / 64 % 4)];
      const std::uint32_t byte = (word >> (8 * (e % 4))) & 0xFF;
      *to++ = byte < limit ? 0.0 : 256.0 / (256 - limit);
    }
  }
  return x.mul(mask.permute({0, 3, 1, 2}));
}

inline at::Tensor pool(const MaxPoolOptions& options, const at::Tensor& x) {
  if (options.global) return at::amax(x, {2, 3}, /*keepdim=*/true);
  const std::int64_t stride = options.stride == 0 ? options.size : options.stride;
  return at::max_pool2d(x, {options.size, options.size}, {stride, stride},
                        {options.padding_pixels, options.padding_pixels});
}

inline at::Tensor pool(const AvgPoolOptions& options, const at::Tensor& x) {
  if (options.global) return at::mean(x, {2, 3}, /*keepdim=*/true);
  const std::int64_t stride = options.stride == 0 ? options.size : options.stride;
  return at::avg_pool2d(x, {options.size, options.size}, {stride, stride},
                        {options.padding_pixels, options.padding_pixels});
}

}  // namespace lockstep::samples
