// How the source of an op gives its runner by LibTorch: it specializes TorchRunner for the op's
// work and instantiates make_torch_runner() with it. An op that has none does not link.
#pragma once

#include <memory>

#include "lockstep/model/op_runner.h"

namespace lockstep {

// An OpRunner, made of (const Work&, const OpContext&).
template <typename Work>
class TorchRunner;

template <typename Work>
std::unique_ptr<OpRunner> make_torch_runner(const Work& work, const OpContext& context) {
  return std::make_unique<TorchRunner<Work>>(work, context);
}

// [n, h, w, c] as the [n, c, h, w] tensor with channels-last strides, and back.
inline at::Tensor channels_first(const at::Tensor& x) { return x.permute({0, 3, 1, 2}); }
inline at::Tensor channels_last(const at::Tensor& x) { return x.permute({0, 2, 3, 1}); }

}  // namespace lockstep
