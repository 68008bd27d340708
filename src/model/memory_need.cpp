#include "lockstep/model/memory_need.h"

#include <algorithm>
#include <set>
#include <variant>

#include "lockstep/model/plan.h"

namespace lockstep {

namespace {

std::int64_t value_bytes(Precision precision) { return precision == Precision::kBf16 ? 2 : 4; }

Kept kept_of(const Op& op) {
  return std::visit([](const auto& work) { return work.kept(); }, op.work);
}

// What both kinds of pass take beside activations.
std::int64_t common_bytes(const Network& network, Precision precision, std::int64_t samples) {
  std::int64_t kept = 0;
  std::int64_t largest_copy = 0;
  for (const Op& op : network.plan()) {
    kept += samples * op.out.pixels() * kept_of(op).output_bytes;
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
  for (const Op& op : network.plan()) {
    const std::int64_t bytes = samples * op.in.pixels() * value_bytes(precision);
    if (kept_of(op).input) inputs += bytes;
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
  for (const Op& op : network.plan()) {
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
