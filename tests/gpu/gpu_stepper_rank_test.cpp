// Whole steps on the accelerator under test: equal bits at every number of ranks, near to
// the CPU's, and the same behaviour around them. 997 rows, a batch that leaves a
// remainder, five lanes.

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "data/samples.h"
#include "gpu/test_accelerator.h"
#include "lockstep/core/error.h"
#include "lockstep/core/host.h"
#include "lockstep/gpu/gpu_evaluator.h"
#include "lockstep/gpu/gpu_stepper.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/train/cpu_stepper.h"
#include "lockstep/train/trainer.h"
#include "support/rank_test.h"

namespace lockstep {
namespace {

constexpr int kLanes = 5;
constexpr std::uint64_t kSeed = 23;
constexpr float kRate = 0.003F;

// Every kind of op, in forms that fuse differently.
Network network() {
  const ConvOptions same{.filters = 9, .padding = Padding::kSame, .bias = false};
  const ResidualOptions residual{
      .layers = {same, BatchNormOptions{}}, .activation = ActivationKind::kRelu, .drop_path = 0.2F};
  const BranchesOptions branches{{{{}}, {{ConvOptions{.filters = 3, .kernel = 1}}}}};
  const GateOptions gate{{AvgPoolOptions{.global = true},
                          DenseOptions{.units = 12, .activation = ActivationKind::kSigmoid}}};
  return Network(
      {{ConvOptions{.filters = 6, .padding = Padding::kSame, .activation = ActivationKind::kRelu},
        BatchNormOptions{}, DropoutOptions{.rate = 0.25F},
        ConvOptions{.filters = 6, .padding_pixels = 2, .dilation = 2, .groups = 3},
        GroupNormOptions{.groups = 2}, MaxPoolOptions{.size = 3, .stride = 1, .padding_pixels = 1},
        ResidualOptions{.layers = {ConvOptions{.filters = 6, .kernel = 1}, LayerNormOptions{}},
                        .activation = ActivationKind::kHardSwish},
        ConvOptions{.filters = 9, .kernel = 2, .padding = Padding::kSame, .bias = false},
        BatchNormOptions{}, ActivationOptions{ActivationKind::kRelu}, MaxPoolOptions{.size = 2},
        DropoutOptions{.rate = 0.1F}, residual, branches, gate, FlattenOptions{},
        DenseOptions{.units = 33, .activation = ActivationKind::kGelu}, BatchNormOptions{},
        DenseOptions{.units = samples::kClasses}}},
      samples::options().shape, samples::kClasses);
}

class GpuSteps : public testing::Test {
 protected:
  TrainingData data(Communicator& comm) {
    DataOptions options = samples::options();
    options.train.path = path_;
    options.augmentation = {.rotation_degrees = 5, .translation_pixels = 1, .scale = 0.1F};
    return {comm, options, kLanes, kSeed};
  }

  GpuStepper on_gpu(Communicator& comm, const TrainingData& data) {
    return {accelerator_, comm, network_, data, parallel_, train_, kSeed};
  }
  CpuStepper on_cpu(Communicator& comm, const TrainingData& data) {
    return {comm, network_, data, workers_, parallel_, train_, kSeed};
  }

  // The weights after steps of two epochs, 9 and 2; the ninth has 30 samples.
  Digest digest_of_training(Communicator& comm) {
    const TrainingData rows = data(comm);
    GpuStepper stepper = on_gpu(comm, rows);
    for (int epoch = 0; epoch < 2; ++epoch) {
      for (int step = 0; step < (epoch == 0 ? 9 : 2); ++step) {
        stepper.step(epoch, step, kRate);
      }
    }
    return stepper.replica().weights.digest(network_);
  }

  samples::SharedFolder folder_{test_comm()};
  std::string path_ = folder_.write("train.csv", samples::csv(samples::kRows));
  std::unique_ptr<Communicator> self_ = connect_self();
  Accelerator& accelerator_ = test_accelerator();
  Network network_ = network();
  Workers workers_{1, prepare_worker_thread};
  ParallelOptions parallel_{.global_batch = 96, .lanes = kLanes};
  TrainOptions train_{.clip_norm = 1,
                      .label_smoothing = 0.1F,
                      .ema_decay = 0.9F,
                      .optimizer = AdamOptions{},
                      .schedule = ConstantSchedule{}};
};

TEST_F(GpuSteps, WeightsAreThoseOfAWorldOfOne) {
  for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
    parallel_.precision = precision;
    EXPECT_EQ(digest_of_training(test_comm()), digest_of_training(*self_));
  }
}

// Masks, images and labels must be the CPU's, or the losses part at once.
TEST_F(GpuSteps, LossesAreNearTheCpus) {
  const TrainingData rows = data(test_comm());
  const auto per_epoch = rows.steps_per_epoch(parallel_.global_batch);
  for (const OptimizerOptions& optimizer :
       {OptimizerOptions{AdamOptions{}}, OptimizerOptions{AdamWOptions{.weight_decay = 0.1F}},
        OptimizerOptions{SgdOptions{.weight_decay = 1e-3F, .nesterov = true}}}) {
    train_.optimizer = optimizer;
    GpuStepper gpu = on_gpu(test_comm(), rows);
    CpuStepper cpu = on_cpu(test_comm(), rows);
    const int steps = std::holds_alternative<AdamOptions>(optimizer) ? 50 : 5;
    for (int i = 0; i < steps; ++i) {
      const auto epoch = static_cast<int>(i / per_epoch);
      const StepSum of_gpu = gpu.step(epoch, i % per_epoch, kRate);
      const StepSum of_cpu = cpu.step(epoch, i % per_epoch, kRate);
      EXPECT_EQ(of_gpu.samples, of_cpu.samples);
      ASSERT_NEAR(of_gpu.loss_sum, of_cpu.loss_sum, 1e-3 * of_cpu.loss_sum) << i;
      const double limit = i < 5 ? 1e-3 : 0.1;  // differences grow from step to step
      ASSERT_NEAR(of_gpu.square_norm, of_cpu.square_norm, limit * of_cpu.square_norm) << i;
    }
  }
}

// After one step the two differ in rounding alone, in every weight, statistic and average.
TEST_F(GpuSteps, AStepIsTheCpus) {
  train_.optimizer = SgdOptions{};
  const TrainingData rows = data(test_comm());
  GpuStepper gpu = on_gpu(test_comm(), rows);
  CpuStepper cpu = on_cpu(test_comm(), rows);
  gpu.step(3, 1, kRate);
  const StepSum of_cpu = cpu.step(3, 1, kRate);
  const Replica& mine = gpu.replica();
  const Replica& other = cpu.replica();
  EXPECT_EQ(mine.updates, 1);
  const auto expect_near = [](std::span<const float> a, std::span<const float> b, double limit) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      ASSERT_NEAR(a[i], b[i], limit * std::max(1.0F, std::abs(b[i]))) << i;
    }
  };
  expect_near(mine.weights.values(), other.weights.values(), 1e-5);
  expect_near(mine.average, other.average, 1e-5);
  // The momentum is the first step's clipped mean gradient.
  const double norm = std::sqrt(of_cpu.square_norm) / static_cast<double>(of_cpu.samples);
  expect_near(mine.optimizer.buffers()[0].values, other.optimizer.buffers()[0].values,
              1e-4 * std::min(norm, 1.0));
}

TEST_F(GpuSteps, GoesOnFromAReplica) {
  const TrainingData rows = data(test_comm());
  GpuStepper whole = on_gpu(test_comm(), rows);
  for (int step = 0; step < 4; ++step) whole.step(0, step, kRate);
  GpuStepper first = on_gpu(test_comm(), rows);
  for (int step = 0; step < 2; ++step) first.step(0, step, kRate);
  GpuStepper second = on_gpu(test_comm(), rows);
  second.step(0, 7, kRate);  // something else, which is given up
  second.set_replica(first.replica());
  for (int step = 2; step < 4; ++step) second.step(0, step, kRate);
  EXPECT_EQ(second.replica().updates, 4);
  EXPECT_EQ(second.replica().weights.digest(network_), whole.replica().weights.digest(network_));
  EXPECT_EQ(second.replica().average, whole.replica().average);
}

TEST_F(GpuSteps, WishOfOneRankReachesAll) {
  const TrainingData rows = data(test_comm());
  GpuStepper stepper = on_gpu(test_comm(), rows);
  EXPECT_FALSE(stepper.step(0, 0, kRate).is_raised(Flag::kSave));
  const int wishing = test_comm().world_size() - 1;
  if (test_comm().rank() == wishing) stepper.raise(Flag::kSave);
  const StepSum sum = stepper.step(0, 1, kRate);
  EXPECT_TRUE(sum.is_raised(Flag::kSave));
  EXPECT_FALSE(sum.is_raised(Flag::kStop));
  if (test_comm().rank() == wishing) stepper.lower(Flag::kSave);
  EXPECT_FALSE(stepper.step(0, 2, kRate).is_raised(Flag::kSave));
}

TEST_F(GpuSteps, NanChangesNothingAndIsFound) {
  const TrainingData rows = data(test_comm());
  GpuStepper stepper = on_gpu(test_comm(), rows);
  stepper.step(0, 0, kRate);
  Replica spoilt = stepper.replica();
  const Replica whole = spoilt;
  spoilt.weights.values()[0] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> before(spoilt.weights.values().begin() + 1,
                                  spoilt.weights.values().end());
  stepper.set_replica(spoilt);
  EXPECT_FALSE(std::isfinite(stepper.step(0, 1, kRate).square_norm));
  EXPECT_EQ(stepper.replica().updates, 1);
  const std::span<const float> after = stepper.replica().weights.values();
  EXPECT_TRUE(std::equal(before.begin(), before.end(), after.begin() + 1));
  const NonFinite found = stepper.find_non_finite();
  EXPECT_EQ(found.lane, rows.owned_lanes().first);
  EXPECT_EQ(found.parameter, 0);
  stepper.set_replica(whole);
  EXPECT_TRUE(std::isfinite(stepper.step(0, 1, kRate).square_norm));
}

// The accelerator under test, whose GPU fails in a wait of one rank; the other ranks' GPUs
// would then wait for it without an end.
class FailingAccelerator final : public Accelerator {
 public:
  FailingAccelerator(Accelerator& sound, Communicator& comm, int failing)
      : sound_(sound), comm_(comm), failing_(failing) {}

  void fail_in_next_wait() { fails_ = true; }

  const std::string& name() const override { return sound_.name(); }
  int index() const override { return sound_.index(); }
  void load_kernels(Precision precision) override { sound_.load_kernels(precision); }
  void launch(const KernelCall& call) override { sound_.launch(call); }
  void copy_to_device(void* device, const void* host, std::size_t bytes) override {
    sound_.copy_to_device(device, host, bytes);
  }
  void copy_to_host(void* host, const void* device, std::size_t bytes) override {
    sound_.copy_to_host(host, device, bytes);
  }
  std::span<std::byte> host_memory(std::size_t bytes) override { return sound_.host_memory(bytes); }
  void fork(int count, const std::function<void(int)>& work) override { sound_.fork(count, work); }
  std::unique_ptr<Recording> record(const std::function<void()>& work) override {
    return sound_.record(work);
  }
  std::unique_ptr<Transport> connect(Communicator& comm) override { return sound_.connect(comm); }

  void wait() override {
    if (!fails_) return sound_.wait();
    if (comm_.rank() == failing_) throw std::runtime_error("the GPU is gone\nand a trace of calls");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < deadline) comm_.look_for_fault();
    ADD_FAILURE() << "no rank said that it met a fault";
  }

 private:
  Accelerator& sound_;
  Communicator& comm_;
  int failing_;
  bool fails_ = false;
};

TEST_F(GpuSteps, FaultOfOneGpuEndsTheStepOnAllRanks) {
  const TrainingData rows = data(test_comm());
  for (int failing = 0; failing < test_comm().world_size(); ++failing) {
    FailingAccelerator accelerator(accelerator_, test_comm(), failing);
    GpuStepper stepper(accelerator, test_comm(), network_, rows, parallel_, train_, kSeed);
    stepper.step(0, 0, kRate);
    accelerator.fail_in_next_wait();
    try {
      stepper.step(0, 1, kRate);
      ADD_FAILURE() << "the step came to its end";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInternal);
      const std::string place = fmt::format("rank {} on {}: ", failing, host_name());
      const bool alone = test_comm().world_size() == 1;
      EXPECT_EQ(error.what(), (alone ? "" : place) + "the GPU is gone");
      EXPECT_TRUE(alone || error.reach() == Reach::kAgreed);
    }
  }
}

TEST_F(GpuSteps, LogitsAreNearTheCpus) {
  const TrainingData rows = data(test_comm());
  const Normalization& normalization = rows.summary().normalization;
  for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
    const Weights weights(network_.initial_weights(kSeed), precision);
    GpuEvaluator gpu(accelerator_, network_, precision, normalization);
    CpuEvaluator cpu(network_, workers_, precision, normalization);
    const std::vector<float> of_gpu = gpu.logits(weights, rows.validation());
    const std::vector<float> of_cpu = cpu.logits(weights, rows.validation());
    ASSERT_EQ(of_gpu.size(), of_cpu.size());
    const double limit = precision == Precision::kFp32 ? 1e-4 : 0.1;
    for (std::size_t i = 0; i < of_gpu.size(); ++i) ASSERT_NEAR(of_gpu[i], of_cpu[i], limit) << i;
  }
}

// The loop itself, with checkpoints' replicas and evaluations, on the accelerator.
TEST_F(GpuSteps, TrainingIsThatOfAWorldOfOne) {
  TrainSettings settings;
  settings.parallel = parallel_;
  settings.train = train_;
  settings.train.epochs = 1;
  settings.seed = kSeed;
  settings.class_names = {"0", "1", "2", "3", "4", "5", "6"};
  const auto run = [&](Communicator& comm) {
    const TrainingData rows = data(comm);
    GpuStepper stepper = on_gpu(comm, rows);
    GpuEvaluator evaluator(accelerator_, network_, settings.parallel.precision,
                           rows.summary().normalization);
    std::vector<std::unique_ptr<Callback>> none;
    return train(comm, network_, rows, {stepper, evaluator}, settings, none);
  };
  const TrainResult shared = run(test_comm());
  const TrainResult alone = run(*self_);
  EXPECT_EQ(shared.weights_digest, alone.weights_digest);
  EXPECT_EQ(shared.validation.confusion, alone.validation.confusion);
  EXPECT_EQ(shared.validation.loss_sum, alone.validation.loss_sum);
  EXPECT_EQ(shared.steps, 9);
}

}  // namespace
}  // namespace lockstep
