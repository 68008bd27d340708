#include "lockstep/model/memory_need.h"

#include <algorithm>
#include <set>
#include <variant>

#include "lockstep/model/op.h"

namespace lockstep {

namespace {

std::int64_t value_bytes(Precision precision) { return precision == Precision::kBf16 ? 2 : 4; }

// Bytes beside tensors that an op keeps from pass to pass.
std::int64_t kept_bytes(const Op& op, std::int64_t samples) {
  if (const auto* gate = std::get_if<GateOp>(&op.work)) {
    return samples * op.out.pixels() * (gate->drop_of_256 > 0 ? 2 : 1);
  }
  if (const auto* norm = std::get_if<NormOp>(&op.work)) {
    return norm->drop_of_256 > 0 ? samples * op.in.pixels() : 0;
  }
  return 0;
}

// What both kinds of pass take beside activations.
std::int64_t common_bytes(const Network& network, Precision precision, std::int64_t samples) {
  std::int64_t kept = 0;
  std::int64_t largest_copy = 0;
  for (const Op& op : network.ops()) {
    kept += kept_bytes(op, samples);
    if (!std::holds_alternative<ConvOp>(op.work)) continue;
    largest_copy = std::max(largest_copy, samples * op.in.pixels() * value_bytes(precision));
  }
  const std::int64_t images = samples * network.input().pixels() * std::int64_t{sizeof(float)};
  return images + kept + largest_copy + network.trainable_size() * value_bytes(precision);
}

}  // namespace

std::int64_t training_pass_bytes(const Network& network, Precision precision,
                                 std::int64_t samples) {
  std::int64_t inputs = 0;
  std::set<std::int64_t> sizes;
  for (const Op& op : network.ops()) {
    const std::int64_t bytes = samples * op.in.pixels() * value_bytes(precision);
    if (!std::holds_alternative<GateOp>(op.work)) inputs += bytes;
    sizes.insert(bytes);
    sizes.insert(samples * op.out.pixels() * value_bytes(precision));
  }
  std::int64_t gradients = 0;
  for (const std::int64_t bytes : sizes) gradients += bytes;
  return common_bytes(network, precision, samples) + inputs + gradients;
}

std::int64_t inference_pass_bytes(const Network& network, Precision precision,
                                  std::int64_t samples) {
  std::set<std::int64_t> sizes;
  std::set<std::int64_t> twice;  // sizes that input and output of an op share
  for (const Op& op : network.ops()) {
    const std::int64_t bytes = samples * op.in.pixels() * value_bytes(precision);
    sizes.insert(bytes);
    sizes.insert(samples * op.out.pixels() * value_bytes(precision));
    if (op.in.pixels() == op.out.pixels()) twice.insert(bytes);
  }
  std::int64_t activations = 0;
  for (const std::int64_t bytes : sizes) activations += bytes;
  for (const std::int64_t bytes : twice) activations += bytes;
  return common_bytes(network, precision, samples) + activations;
}

}  // namespace lockstep
