// The work of a network, as the executor does it: layers regrouped so that what
// can be one pass over memory is one.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "lockstep/core/batch.h"
#include "lockstep/core/philox.h"
#include "lockstep/core/share.h"
#include "lockstep/model/options.h"

namespace lockstep {

// Convolution or dense layer: out = weight * in + bias.
struct ConvOp {
  int kernel = 1;
  int stride = 1;
  int padding_before = 0;  // rows above and columns left; zeros
  int padding_after = 0;
  Range weight{};
  Range bias{};  // empty for none
};

struct DenseOp {
  Range weight{};
  Range bias{};  // empty for none
};

// Relu, batch norm, relu, dropout; all but the batch norm optional.
struct NormOp {
  bool relu_before = false;
  bool relu_after = false;
  int drop_of_256 = 0;           // dropout rate in 256ths; 0: no dropout
  std::uint32_t drop_layer = 0;  // index of the dropout layer, keys its masks
  Range scale{};
  Range shift{};
  Range running_mean{};
  Range running_variance{};
  float momentum = 0;
  float epsilon = 0;
};

// Relu, max pool, dropout; each optional. What they share: an output is one of
// the inputs, scaled, or zero, so one byte an output tells where its gradient goes.
struct GateOp {
  bool relu = false;
  int pool_size = 1;  // 1: no pooling
  int pool_stride = 1;
  int drop_of_256 = 0;
  std::uint32_t drop_layer = 0;
};

// Any activation but relu.
struct ActivationOp {
  ActivationKind kind = ActivationKind::kNone;
};

// Factor of the elements kept when `drop_of_256` of 256 are dropped.
inline float keep_scale(int drop_of_256) { return 256.0F / static_cast<float>(256 - drop_of_256); }

// The key of a dropout layer's masks in `epoch`; see random_bytes in model/kernels.h for
// what is made of it.
constexpr PhiloxKey dropout_stream(std::uint64_t seed, std::uint32_t layer, int epoch) {
  const PhiloxBlock block =
      philox(philox_key(seed, Purpose::kDropout), {layer, static_cast<std::uint32_t>(epoch), 0, 0});
  return {block[0], block[1]};
}

struct Op {
  std::variant<ConvOp, DenseOp, NormOp, GateOp, ActivationOp> work;
  ImageShape in;
  ImageShape out;
};

}  // namespace lockstep
