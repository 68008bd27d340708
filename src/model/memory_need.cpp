#include "lockstep/model/memory_need.h"

#include <algorithm>
#include <variant>
#include <vector>

#include "lockstep/model/plan.h"
#include "model/conv_form.h"
#include "model/conv_kernels.h"
#include "model/direct_conv.h"
#include "model/freeze.h"
#include "model/pretended_memory.h"
#include "model/winograd.h"

namespace lockstep {

namespace {

using Block = PretendedMemory::Block;

constexpr std::int64_t kFloat = sizeof(float);

std::int64_t value_bytes(Precision precision) { return precision == Precision::kBf16 ? 2 : kFloat; }

std::size_t index(ValueId id) { return static_cast<std::size_t>(id); }

Kept kept_of(const Op& op) {
  return std::visit([](const auto& work) { return work.kept(); }, op.work);
}

// Whether our own kernels are for it, on this processor.
bool has_conv_kernels(const ConvForm& form, Precision precision) {
  return fp32_conv_kernels() != nullptr && suits_conv_kernels(form, precision);
}

// What the largest convolution or dense layer of a pass takes beside blocks: weights in another
// order and their sums, tiles, and by LibTorch a copy of the images.
std::int64_t conv_bytes(const Network& network, Precision precision, std::int64_t samples) {
  const auto* tiled = precision == Precision::kBf16 ? tiled_conv_kernels() : nullptr;
  std::int64_t largest_weight = 0;
  for (const Parameter& parameter : network.parameters()) {
    if (parameter.role != Role::kWeight) continue;
    largest_weight = std::max(largest_weight, parameter.range.size());
  }
  std::int64_t largest = 0;
  for (const Op& op : network.plan()) {
    const auto* conv = std::get_if<ConvOp>(&op.work);
    if (conv == nullptr) continue;
    const ImageShape& in = op.in.front().shape;
    const ConvForm form = form_of(*conv, in, op.out.shape, /*input_gradient=*/true);
    const bool is_depthwise = conv->groups == in.channels && conv->kernel == 3;
    if (conv->groups > 1 ? !is_depthwise : !has_conv_kernels(form, precision)) {
      largest = std::max(largest, samples * in.pixels() * value_bytes(precision));
    } else if (conv->groups == 1 && tiled != nullptr) {
      largest = std::max(largest, DirectConv(*tiled, form).buffer_bytes(samples));
    } else if (conv->groups == 1 && suits_winograd(form)) {
      largest = std::max(largest, winograd_bytes(form, precision));
    }
  }
  return 2 * largest_weight * kFloat + largest;
}

// Passes as PlanRunner makes them, by the blocks that tensors take and give back.
class PretendedPasses {
 public:
  PretendedPasses(const Network& network, Precision precision)
      : network_(network),
        bytes_(value_bytes(precision)),
        has_gradient_(values_with_gradients(network.graph(), plan())),
        last_use_(network.graph().values.size(), 0) {
    for (std::size_t i = 0; i < plan().size(); ++i) {
      for (const Operand& in : plan()[i].in) last_use_[index(in.id)] = i;
    }
  }

  void train(std::int64_t samples) {
    begin(samples);
    forward(/*keeps=*/true);
    backward();
    memory_.give_back(values_[index(plan().back().out.id)]);
  }

  void infer(std::int64_t samples) {
    begin(samples);
    forward(/*keeps=*/false);
    memory_.give_back(values_[index(plan().back().out.id)]);
  }

  std::int64_t peak() const { return memory_.peak(); }

 private:
  const Plan& plan() const { return network_.plan(); }
  bool has_gradient(const Operand& operand) const { return has_gradient_[index(operand.id)] != 0; }
  std::int64_t count(const Operand& operand) const { return samples_ * operand.shape.pixels(); }
  Block take(const Operand& operand) { return memory_.take(count(operand) * bytes_); }

  void begin(std::int64_t samples) {
    samples_ = samples;
    values_.assign(last_use_.size(), PretendedMemory::kNone);
    kept_.assign(plan().size(), {});
    // In fp32 the batch's own memory is that of the images.
    if (bytes_ != kFloat) {
      values_.front() = memory_.take(samples * network_.input().pixels() * bytes_);
    }
  }

  void forward(bool keeps) {
    for (std::size_t i = 0; i < plan().size(); ++i) {
      const Op& op = plan()[i];
      const bool passes_on = !keeps && std::holds_alternative<DropPathOp>(op.work);
      const Block in = values_[index(op.in.front().id)];
      values_[index(op.out.id)] = passes_on ? memory_.share(in) : take(op.out);
      if (keeps && has_gradient(op.out)) keep(i);
      for (std::size_t k = 0; k < op.in.size(); ++k) {
        Block& value = values_[index(op.in[k].id)];
        if (last_use_[index(op.in[k].id)] != i) continue;
        memory_.give_back(value);
        value = PretendedMemory::kNone;  // it may be the other input too
      }
    }
  }

  // What the op needs in the backward pass.
  void keep(std::size_t i) {
    const Op& op = plan()[i];
    const auto inputs = std::min(op.in.size(), static_cast<std::size_t>(kept_of(op).inputs));
    for (std::size_t k = 0; k < inputs; ++k) {
      kept_[i].push_back(memory_.share(values_[index(op.in[k].id)]));
    }
    if (kept_of(op).output) kept_[i].push_back(memory_.share(values_[index(op.out.id)]));
  }

  void backward() {
    std::vector<Block> gradients(values_.size(), PretendedMemory::kNone);
    gradients[index(plan().back().out.id)] = take(plan().back().out);
    for (std::size_t i = plan().size(); i-- > 0;) {
      const Op& op = plan()[i];
      const Block dy = gradients[index(op.out.id)];
      if (!has_gradient(op.out)) continue;
      const std::vector<Block> found = gradients_of(op, dy);
      for (const Block block : kept_[i]) memory_.give_back(block);
      memory_.give_back(dy);
      for (std::size_t k = 0; k < found.size(); ++k) {
        if (!has_gradient(op.in[k])) {
          memory_.give_back(found[k]);
          continue;
        }
        Block& sum = gradients[index(op.in[k].id)];
        sum = sum == PretendedMemory::kNone ? found[k] : sum_of(sum, found[k], op.in[k]);
      }
    }
  }

  // Of its inputs; none where nothing before it is trained.
  std::vector<Block> gradients_of(const Op& op, Block dy) {
    if (std::none_of(op.in.begin(), op.in.end(), [&](const auto& in) { return has_gradient(in); }))
      return {};
    if (const auto* sum = std::get_if<SumOp>(&op.work)) {
      const Block both = sum->relu ? take(op.out) : memory_.share(dy);
      return {both, memory_.share(both)};
    }
    if (const auto* norm = std::get_if<NormOp>(&op.work); norm != nullptr && norm->adds) {
      const Block other = norm->relu_after ? take(op.out) : memory_.share(dy);
      return {take(op.in[0]), other};
    }
    std::vector<Block> found;
    for (const Operand& in : op.in) found.push_back(take(in));
    if (std::holds_alternative<MultiplyOp>(op.work)) take_products(op);
    return found;
  }

  // In fp32, for a moment.
  void take_products(const Op& op) {
    if (op.in[0].shape == op.in[1].shape) return;
    std::vector<Block> floats;
    for (int k = 0; k < (bytes_ == kFloat ? 1 : 3); ++k) {
      floats.push_back(memory_.take(count(op.out) * kFloat));
    }
    for (const Block block : floats) memory_.give_back(block);
  }

  // Who is the only user of a block adds to it.
  Block sum_of(Block a, Block b, const Operand& operand) {
    if (memory_.users(b) == 1) {
      memory_.give_back(a);
      return b;
    }
    if (memory_.users(a) == 1) {
      memory_.give_back(b);
      return a;
    }
    const Block sum = take(operand);
    memory_.give_back(a);
    memory_.give_back(b);
    return sum;
  }

  const Network& network_;
  std::int64_t bytes_;                      // of a value
  std::vector<std::uint8_t> has_gradient_;  // by value
  std::vector<std::size_t> last_use_;       // by value: an op
  PretendedMemory memory_;
  // Of the pass under way:
  std::int64_t samples_ = 0;
  std::vector<Block> values_;             // by value
  std::vector<std::vector<Block>> kept_;  // by op
};

// The images, and what tells where values of the backward pass go.
std::int64_t beside_blocks(const Network& network, std::int64_t samples, bool trains) {
  std::int64_t bytes = samples * network.input().pixels() * kFloat;
  for (const Op& op : network.plan()) {
    const int codes = std::holds_alternative<GateOp>(op.work) ? 1 : 0;
    bytes += samples * op.out.shape.pixels() * (trains ? kept_of(op).output_bytes : codes);
  }
  return bytes;
}

}  // namespace

std::int64_t passes_bytes(const Network& network, Precision precision,
                          std::int64_t training_samples, std::int64_t inference_samples) {
  PretendedPasses passes(network, precision);
  for (int round = 0; round < 2; ++round) {  // the second meets what the first left
    if (training_samples > 0) passes.train(training_samples);
    if (inference_samples > 0) passes.infer(inference_samples);
  }
  return passes.peak() + beside_blocks(network, training_samples, /*trains=*/true) +
         beside_blocks(network, inference_samples, /*trains=*/false) +
         conv_bytes(network, precision, std::max(training_samples, inference_samples));
}

}  // namespace lockstep
