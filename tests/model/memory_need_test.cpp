// The memory that passes are said to need beside what a thread holds after them.
#include "lockstep/model/memory_need.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <vector>

#include "lockstep/model/lane_executor.h"
#include "model/pretended_memory.h"

namespace lockstep {
namespace {

constexpr int kClasses = 3;

// Notes all that LibTorch's tensors take and give back while it exists.
class Recorder final : public c10::Allocator {
 public:
  Recorder() : before_(c10::GetCPUAllocator()) {
    recorder() = this;
    c10::SetCPUAllocator(this, kPriority);
  }
  ~Recorder() override { c10::SetCPUAllocator(before_, kPriority); }

  c10::DataPtr allocate(std::size_t count) override {
    const c10::Device cpu(c10::DeviceType::CPU);
    void* data = std::malloc(count);
    blocks_[data] = memory_.take(static_cast<std::int64_t>(count));
    return {data, data, &release, cpu};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t count) const override {
    default_copy_data(to, from, count);
  }

  // Of a thread that reuses blocks.
  std::int64_t peak() const { return memory_.peak(); }

 private:
  static constexpr std::uint8_t kPriority = 100;

  static Recorder*& recorder() {
    static Recorder* now = nullptr;
    return now;
  }
  static void release(void* data) {
    recorder()->memory_.give_back(recorder()->blocks_.at(data));
    std::free(data);
  }

  c10::Allocator* before_;
  PretendedMemory memory_;
  std::map<void*, PretendedMemory::Block> blocks_;
};

struct Executors {
  LaneExecutor training, inference;
};

// Both kinds of pass.
void make_passes(Executors& executors, const Network& network, Precision precision, int samples) {
  Batch batch;
  batch.size = samples;
  batch.images.resize(static_cast<std::size_t>(samples * network.input().pixels()));
  for (int i = 0; i < samples; ++i) {
    batch.labels.push_back(i % kClasses);
    batch.rows.push_back(i);
  }
  const Weights weights(network.initial_weights(1), precision);
  std::vector<float> gradients(static_cast<std::size_t>(network.trainable_size()));
  std::vector<float> statistics(static_cast<std::size_t>(network.statistics_size()));
  std::vector<float> logits(static_cast<std::size_t>(samples * kClasses));
  executors.training.train(weights, batch, {}, gradients, statistics);
  executors.inference.infer(weights, batch, logits);
}

std::int64_t recorded_bytes(const Network& network, Precision precision, int samples) {
  Executors executors{LaneExecutor(network, precision), LaneExecutor(network, precision)};
  const Recorder recorder;
  make_passes(executors, network, precision, samples);
  return recorder.peak();
}

// As those of MobileNets: inverted residuals with gates, by depth.
std::vector<LayerOptions> gated_blocks() {
  const ConvOptions wide{.filters = 64, .kernel = 1, .bias = false};
  const ConvOptions depthwise{.filters = 64, .padding = Padding::kSame, .groups = 64};
  const ConvOptions narrow{.filters = 16, .kernel = 1, .bias = false};
  const ActivationOptions silu{ActivationKind::kSilu};
  const GateOptions gate{{AvgPoolOptions{.global = true}, ConvOptions{.filters = 8, .kernel = 1},
                          silu, ConvOptions{.filters = 64, .kernel = 1},
                          ActivationOptions{ActivationKind::kSigmoid}}};
  const ResidualOptions block{
      .layers = {wide, BatchNormOptions{}, silu, depthwise, BatchNormOptions{}, silu, gate, narrow,
                 BatchNormOptions{}},
      .shortcut = {},
      .drop_path = 0.1F};
  return {ConvOptions{.filters = 16, .padding = Padding::kSame},
          RepeatOptions{.times = 3, .layers = {block}}, AvgPoolOptions{.global = true},
          DenseOptions{.units = kClasses}};
}

std::vector<LayerOptions> plain_layers() {
  const ConvOptions conv{
      .filters = 32, .padding = Padding::kSame, .activation = ActivationKind::kRelu};
  return {conv,
          BatchNormOptions{},
          conv,
          BatchNormOptions{},
          MaxPoolOptions{.size = 2},
          FlattenOptions{},
          DenseOptions{.units = kClasses}};
}

TEST(MemoryNeed, IsThatOfTheBlocksThatPassesTake) {
  constexpr int kSamples = 16;
  constexpr double kMostBeside = 3e6;  // images, codes of pooling, weights in another order
  for (const auto& layers : {gated_blocks(), plain_layers()}) {
    const Network network({layers}, {24, 24, 3}, kClasses);
    for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
      if (precision == Precision::kBf16 && !has_bf16_instructions()) continue;
      const auto recorded = static_cast<double>(recorded_bytes(network, precision, kSamples));
      const auto need = static_cast<double>(passes_bytes(network, precision, kSamples, kSamples));
      EXPECT_GT(need, 0.97 * recorded);
      EXPECT_LT(need, 1.03 * recorded + kMostBeside);
    }
  }
}

// Free memory beyond a thread's limit goes back: the smaller passes fit into what the larger had.
TEST(MemoryNeed, OfManyLargeTensorsIsNotThatOfAllThatEverWere) {
  const Network network({gated_blocks()}, {96, 96, 3}, kClasses);
  const auto training = static_cast<double>(passes_bytes(network, Precision::kFp32, 64, 0));
  const auto inference = static_cast<double>(passes_bytes(network, Precision::kFp32, 0, 50));
  const auto both = static_cast<double>(passes_bytes(network, Precision::kFp32, 64, 50));
  EXPECT_LT(both, training + 0.1 * inference);
}

}  // namespace
}  // namespace lockstep
