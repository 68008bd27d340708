// Runners by our own kernels, on the CPU.
#pragma once

#include <memory>

#include "lockstep/model/op_runner.h"

namespace lockstep {

template <typename T>
T* values(const at::Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

// Null where the kernels are not for this processor or such an op.
std::unique_ptr<OpRunner> make_own_conv(const ConvOp& conv, const OpContext& context);
std::unique_ptr<OpRunner> make_own_depthwise(const ConvOp& conv, const OpContext& context);
std::unique_ptr<OpRunner> make_own_dense(const DenseOp& dense, const OpContext& context);

std::unique_ptr<OpRunner> make_norm(const NormOp& norm, const OpContext& context);
std::unique_ptr<OpRunner> make_gate(const GateOp& gate, const OpContext& context);
std::unique_ptr<OpRunner> make_own_group_norm(const GroupNormOp& norm, const OpContext& context);
std::unique_ptr<OpRunner> make_own_layer_norm(const LayerNormOp& norm, const OpContext& context);
std::unique_ptr<OpRunner> make_drop_path(const DropPathOp& drop, const OpContext& context);

}  // namespace lockstep
