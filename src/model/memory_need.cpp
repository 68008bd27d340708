#include "lockstep/model/memory_need.h"

#include <algorithm>
#include <map>
#include <set>
#include <variant>
#include <vector>

#include "lockstep/model/plan.h"
#include "model/conv_form.h"
#include "model/freeze.h"
#include "model/winograd.h"

namespace lockstep {

namespace {

std::int64_t value_bytes(Precision precision) { return precision == Precision::kBf16 ? 2 : 4; }

std::size_t index(ValueId id) { return static_cast<std::size_t>(id); }

Kept kept_of(const Op& op) {
  return std::visit([](const auto& work) { return work.kept(); }, op.work);
}

// What both kinds of pass take beside activations.
std::int64_t common_bytes(const Network& network, Precision precision, std::int64_t samples) {
  std::int64_t kept = 0;
  std::int64_t largest_copy = 0;
  std::int64_t largest_tiles = 0;
  for (const Op& op : network.plan()) {
    kept += samples * op.out.shape.pixels() * kept_of(op).output_bytes;
    const auto* conv = std::get_if<ConvOp>(&op.work);
    if (conv == nullptr) continue;
    const ImageShape& in = op.in.front().shape;
    largest_copy = std::max(largest_copy, samples * in.pixels() * value_bytes(precision));
    const ConvForm form = form_of(*conv, in, op.out.shape, /*input_gradient=*/true);
    if (conv->groups == 1 && suits_winograd(form)) {
      largest_tiles = std::max(largest_tiles, winograd_bytes(form, precision));
    }
  }
  const std::int64_t images = samples * network.input().pixels() * std::int64_t{sizeof(float)};
  const std::int64_t weights =
      network.trainable_size() + network.total_size() - network.changing_size();
  return images + kept + largest_copy + largest_tiles + weights * std::int64_t{sizeof(float)};
}

// The blocks that a pass's thread holds, by size: as many as there were of them at once.
class Blocks {
 public:
  void take(std::int64_t values) {
    const int now = ++now_[values];
    most_[values] = std::max(most_[values], now);
  }
  void give_back(std::int64_t values) { --now_[values]; }

  std::int64_t values() const {
    std::int64_t all = 0;
    for (const auto& [size, count] : most_) all += size * count;
    return all;
  }

 private:
  std::map<std::int64_t, int> now_;
  std::map<std::int64_t, int> most_;
};

// A pass as PlanRunner makes it, in numbers of values a sample.
class Pretended {
 public:
  explicit Pretended(const Network& network)
      : network_(network),
        gradients_(values_with_gradients(network.graph(), plan())),
        first_use_(network.graph().values.size(), plan().size()),
        last_use_(network.graph().values.size(), 0) {
    for (std::size_t i = 0; i < plan().size(); ++i) {
      for (const Operand& in : plan()[i].in) {
        first_use_[index(in.id)] = std::min(first_use_[index(in.id)], i);
        last_use_[index(in.id)] = i;
      }
    }
  }

  void forward(const std::set<ValueId>& kept) {
    blocks_.take(size(ValueId{0}));
    for (std::size_t i = 0; i < plan().size(); ++i) {
      blocks_.take(size(plan()[i].out.id));
      for (const ValueId value : inputs(i)) {
        if (last_use_[index(value)] == i && !kept.contains(value)) blocks_.give_back(size(value));
      }
    }
  }

  void backward(const std::set<ValueId>& kept) {
    std::set<ValueId> gradients{plan().back().out.id};
    blocks_.take(size(plan().back().out.id));
    for (std::size_t i = plan().size(); i-- > 0;) {
      const Op& op = plan()[i];
      if (!has_gradient(op.out.id)) continue;
      for (const Operand& in : op.in) {
        blocks_.take(size(in.id));
        if (!gradients.insert(in.id).second) blocks_.give_back(size(in.id));
      }
      gradients.erase(op.out.id);
      blocks_.give_back(size(op.out.id));
      for (const ValueId value : inputs(i)) {
        if (first_use_[index(value)] == i && kept.contains(value)) blocks_.give_back(size(value));
      }
    }
  }

  std::int64_t values() const { return blocks_.values(); }

  // The values that ops keep for the backward pass.
  std::set<ValueId> kept() const {
    std::set<ValueId> kept;
    for (const Op& op : plan()) {
      if (!has_gradient(op.out.id)) continue;
      if (kept_of(op).output) kept.insert(op.out.id);
      const auto inputs = std::min(op.in.size(), static_cast<std::size_t>(kept_of(op).inputs));
      for (std::size_t k = 0; k < inputs; ++k) kept.insert(op.in[k].id);
    }
    return kept;
  }

 private:
  const Plan& plan() const { return network_.plan(); }
  bool has_gradient(ValueId id) const { return gradients_[index(id)] != 0; }
  std::int64_t size(ValueId id) const { return network_.graph().shape(id).pixels(); }

  std::set<ValueId> inputs(std::size_t op) const {
    std::set<ValueId> values;
    for (const Operand& in : plan()[op].in) values.insert(in.id);
    return values;
  }

  const Network& network_;
  std::vector<std::uint8_t> gradients_;  // by value
  std::vector<std::size_t> first_use_;   // by value: an op
  std::vector<std::size_t> last_use_;
  Blocks blocks_;
};

}  // namespace

std::int64_t training_pass_bytes(const Network& network, Precision precision,
                                 std::int64_t samples) {
  Pretended pass(network);
  const std::set<ValueId> kept = pass.kept();
  pass.forward(kept);
  pass.backward(kept);
  return common_bytes(network, precision, samples) +
         samples * pass.values() * value_bytes(precision);
}

std::int64_t inference_pass_bytes(const Network& network, Precision precision,
                                  std::int64_t samples) {
  Pretended pass(network);
  pass.forward({});
  return common_bytes(network, precision, samples) +
         samples * pass.values() * value_bytes(precision);
}

}  // namespace lockstep
