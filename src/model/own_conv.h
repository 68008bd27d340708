// What the runners of convolutions and dense layers by our own kernels share.
#pragma once

#include <memory>

#include "lockstep/model/lane_executor.h"
#include "lockstep/model/op_runner.h"
#include "model/direct_conv.h"
#include "model/kernels.h"
#include "model/own_runners.h"
#include "model/winograd_kernels.h"

namespace lockstep {

// Of Out as in conv_kernels.h.
template <typename Out>
constexpr at::ScalarType kOwnType = sizeof(Out) == sizeof(float) ? at::kFloat : at::kBFloat16;

// A parameter in the type of the activations.
template <typename Out>
const Out* own_weights(const Pass& pass, ParameterId id) {
  if constexpr (sizeof(Out) == sizeof(float)) {
    return pass.values(id);
  } else {
    return pass.rounded(id);
  }
}

// Of a frozen parameter nobody wants it.
inline float* gradient_or_null(const Pass& pass, ParameterId id) {
  return pass.changes(id) ? pass.gradient(id) : nullptr;
}

inline void sum_rows(const float* x, std::int64_t rows, std::int64_t channels, float* sums) {
  kernels().fp32.sum_rows(x, rows, channels, sums);
}
inline void sum_rows(const Bf16Bits* x, std::int64_t rows, std::int64_t channels, float* sums) {
  kernels().bf16.sum_rows(reinterpret_cast<const Bf16*>(x), rows, channels, sums);
}

// Intel's processors take as long for one product of pairs as for four of fp32 vectors, AMD's
// as for one. The bits are the same. Tiles of pairs are fast.
inline bool pairs_are_slow() {
  static const bool slow = __builtin_cpu_is("intel") && tiled_conv_kernels() == nullptr;
  return slow;
}

// Sets of kernels that a runner may take.
struct LoopKernels {
  static const auto* fp32() { return fp32_conv_kernels(); }
  static const auto& paired() {
    const auto* tiled = tiled_conv_kernels();
    return tiled != nullptr ? *tiled : paired_conv_kernels();
  }
  static const auto& widened() { return widened_conv_kernels(); }
};
struct TileKernels {
  static const auto* fp32() { return fp32_winograd_kernels(); }
  static const auto& paired() { return paired_winograd_kernels(); }
  static const auto& widened() { return widened_winograd_kernels(); }
};

// A Runner<In, Out> for this processor; null where the kernels are not for it or such an op.
template <template <typename, typename> class Runner, typename Kernels, typename Work>
std::unique_ptr<OpRunner> make_direct(const Work& work, const OpContext& context) {
  const ConvForm form = Runner<float, float>::form_of(work, context);
  const bool in_fp32 = context.type == at::kFloat || context.gives_logits;
  if (!suits_conv_kernels(form, in_fp32 ? Precision::kFp32 : Precision::kBf16)) return nullptr;
  if (in_fp32) {
    const auto* kernels = Kernels::fp32();
    if (kernels == nullptr) return nullptr;
    return std::make_unique<Runner<float, float>>(*kernels, work, context);
  }
  if (!has_bf16_instructions()) return nullptr;
  if (pairs_are_slow()) {
    return std::make_unique<Runner<float, Bf16Bits>>(Kernels::widened(), work, context);
  }
  return std::make_unique<Runner<Bf16Bits, Bf16Bits>>(Kernels::paired(), work, context);
}

}  // namespace lockstep
