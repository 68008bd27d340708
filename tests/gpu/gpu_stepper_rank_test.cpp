// Whole steps on the accelerator under test: equal bits at every number of ranks, and near to
// the CPU's.

#include "gpu/gpu_steps.h"

namespace lockstep {
namespace {

TEST_F(GpuSteps, WeightsAreThoseOfAWorldOfOne) {
  for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
    parallel_.precision = precision;
    EXPECT_EQ(digest_of_training(test_comm()), digest_of_training(*self_));
  }
}

// As long as the object lives: how much memory rows may take.
class Limit {
 public:
  Limit(const char* variable, const char* bytes) : variable_(variable) {
    ::setenv(variable, bytes, 1);
  }
  ~Limit() { ::unsetenv(variable_); }

 private:
  const char* variable_;
};

// From memory and from a file that is mapped; however late copies and steps are done.
TEST_F(GpuSteps, RowsThatAreStreamedGiveTheSameWeights) {
  const auto host = make_host_accelerator();
  const auto soon = make_late_accelerator(CopyTime::kSoon);
  const auto late = make_late_accelerator(CopyTime::kLate);
  const TrainingData rows = data(test_comm());
  const Digest on_device = digest_of_training(test_comm(), rows, accelerator_);
  const Digest on_host = digest_of_training(test_comm(), rows, *host);
  const std::string text = path_;
  path_ = folder_.path("train.rows");
  DataOptions options = samples::options();
  pack(test_comm(), {text, "", ""}, options, path_);
  const Limit in_memory("LOCKSTEP_DATA_MEMORY", "1");
  const TrainingData mapped = data(test_comm());
  ASSERT_NE(mapped.validation().mapped, nullptr);
  EXPECT_EQ(digest_of_training(test_comm(), mapped, *host), on_host);
  const Limit on_gpu("LOCKSTEP_GPU_DATA_MEMORY", "0");
  for (const TrainingData* each : {&rows, &mapped}) {
    EXPECT_EQ(digest_of_training(test_comm(), *each, accelerator_), on_device);
    EXPECT_EQ(digest_of_training(test_comm(), *each, *soon), on_host);
    EXPECT_EQ(digest_of_training(test_comm(), *each, *late), on_host);
  }
}

TEST_F(GpuSteps, RowsAreResidentWhereTheyFit) {
  const auto host = make_host_accelerator();
  EXPECT_EQ(residence_on(*host, 1 << 30), RowResidence::kResident);
  const Limit limit("LOCKSTEP_GPU_DATA_MEMORY", "1000");
  EXPECT_EQ(residence_on(*host, 1000), RowResidence::kResident);
  EXPECT_EQ(residence_on(*host, 1001), RowResidence::kStreamed);
  const Limit much("LOCKSTEP_GPU_DATA_MEMORY", "much");
  EXPECT_EQ(samples::error_of([&] { residence_on(*host, 1); }),
            "LOCKSTEP_GPU_DATA_MEMORY is \"much\": expected a number of bytes");
}

// Of those that look at whole parameters too, where groups differ.
const std::vector<OptimizerOptions> kOfWholeParameters = {
    LambOptions{}, LarsOptions{.learning_rate = 10}, MuonOptions{.learning_rate = 0.01F}};
const std::vector<ParameterGroup> kGroups = {
    {.layers = {"0", "*.batch_norm"}, .rate_factor = 0.5F, .decay_factor = 2}};

TEST_F(GpuSteps, WeightsByWholeParametersAreThoseOfAWorldOfOne) {
  train_.groups = kGroups;
  for (const OptimizerOptions& optimizer : kOfWholeParameters) {
    train_.optimizer = optimizer;
    const auto digest_of_steps = [&](Communicator& comm) {
      const TrainingData rows = data(comm);
      GpuStepper stepper = on_gpu(comm, rows);
      for (int step = 7; step < 9; ++step) stepper.step(0, step, base_learning_rate(optimizer));
      return stepper.replica().weights.digest(network_);
    };
    EXPECT_EQ(digest_of_steps(test_comm()), digest_of_steps(*self_));
  }
}

constexpr AugmentationOptions kAllChanges{.rotation_degrees = 5,
                                          .translation_pixels = 1,
                                          .scale = 0.1F,
                                          .flip = 0.5F,
                                          .crop_padding_pixels = 1,
                                          .erase = EraseOptions{},
                                          .brightness = 0.2F,
                                          .contrast = 0.2F,
                                          .mixup_alpha = 0.5F,
                                          .cutmix_alpha = 1};

TEST_F(GpuSteps, WeightsOfMixedSamplesAndBalancedClassesAreThoseOfAWorldOfOne) {
  augmentation_ = kAllChanges;
  train_.balance_classes = true;
  EXPECT_EQ(digest_of_training(test_comm()), digest_of_training(*self_));
}

// Masks, images and labels must be the CPU's, or the losses part at once.
TEST_F(GpuSteps, LossesAreNearTheCpus) {
  const TrainingData rows = data(test_comm());
  const auto per_epoch = rows.steps_per_epoch(parallel_.global_batch);
  std::vector<OptimizerOptions> optimizers = kOfWholeParameters;
  optimizers.insert(optimizers.end(), {AdamOptions{}, AdamWOptions{.weight_decay = 0.1F},
                                       SgdOptions{.weight_decay = 1e-3F, .nesterov = true}});
  for (const OptimizerOptions& optimizer : optimizers) {
    train_.optimizer = optimizer;
    train_.groups =
        std::holds_alternative<AdamOptions>(optimizer) ? std::vector<ParameterGroup>() : kGroups;
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

// Those whose steps do not magnify what the gradients differ by.
TEST_F(GpuSteps, AStepByWholeParametersIsTheCpus) {
  train_.groups = kGroups;
  const TrainingData rows = data(test_comm());
  for (const OptimizerOptions& optimizer : {OptimizerOptions(LarsOptions{.learning_rate = 10}),
                                            OptimizerOptions(LambOptions{.epsilon = 0.1F})}) {
    train_.optimizer = optimizer;
    GpuStepper gpu = on_gpu(test_comm(), rows);
    CpuStepper cpu = on_cpu(test_comm(), rows);
    gpu.step(3, 1, base_learning_rate(optimizer));
    cpu.step(3, 1, base_learning_rate(optimizer));
    const std::span<const float> mine = gpu.replica().weights.values();
    const std::span<const float> other = cpu.replica().weights.values();
    for (std::size_t i = 0; i < mine.size(); ++i) {
      ASSERT_NEAR(mine[i], other[i], 2e-5 * std::max(1.0F, std::abs(other[i]))) << i;
    }
  }
}

TEST_F(GpuSteps, LossesOfMixedSamplesAndWeightedClassesAreNearTheCpus) {
  augmentation_ = kAllChanges;
  train_.class_weights = {0.5F, 1, 2, 0.25F, 1, 3, 1};
  const TrainingData rows = data(test_comm());
  GpuStepper gpu = on_gpu(test_comm(), rows);
  CpuStepper cpu = on_cpu(test_comm(), rows);
  for (int i = 0; i < 5; ++i) {
    const StepSum of_gpu = gpu.step(0, i, kRate);
    const StepSum of_cpu = cpu.step(0, i, kRate);
    EXPECT_EQ(of_gpu.samples, of_cpu.samples);
    ASSERT_NEAR(of_gpu.loss_weight, of_cpu.loss_weight, 1e-4 * of_cpu.loss_weight);
    ASSERT_NEAR(of_gpu.loss_sum, of_cpu.loss_sum, 1e-3 * of_cpu.loss_sum) << i;
    ASSERT_NEAR(of_gpu.square_norm, of_cpu.square_norm, 1e-3 * of_cpu.square_norm) << i;
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

// Of a file: by their momentum alone. The last norm's variance is not of it.
TEST_F(GpuSteps, StatisticsOfAFileMoveAsOnTheCpu) {
  const TrainingData rows = data(test_comm());
  GpuStepper gpu = on_gpu(test_comm(), rows);
  CpuStepper cpu = on_cpu(test_comm(), rows);
  std::vector<float> values = network_.initial_weights(kSeed);
  std::set<std::string> taken;
  for (const Parameter& parameter : network_.parameters()) {
    if (!is_statistic(parameter.role)) continue;
    std::fill(values.begin() + parameter.range.first, values.begin() + parameter.range.last, 5.0F);
    taken.insert(parameter.name);
  }
  taken.erase("19.batch_norm.running_variance");
  for (Stepper* stepper : {static_cast<Stepper*>(&gpu), static_cast<Stepper*>(&cpu)}) {
    stepper->set_replica(begun_with(stepper->replica(), values, taken));
    for (int step = 0; step < 2; ++step) stepper->step(0, step, kRate);
  }
  const std::span<const float> mine = gpu.replica().weights.values();
  const std::span<const float> other = cpu.replica().weights.values();
  for (const Parameter& parameter : network_.parameters()) {
    if (!is_statistic(parameter.role)) continue;
    const auto i = static_cast<std::size_t>(parameter.range.first);
    EXPECT_NEAR(mine[i], other[i], 1e-4 * std::max(1.0F, std::abs(other[i]))) << parameter.name;
    if (parameter.role != Role::kRunningMean) continue;
    EXPECT_NEAR(mine[i], 5, 0.5) << parameter.name;
  }
}

// Layers that are frozen before all that is trained, between, and a norm's scale alone.
TEST_F(GpuSteps, FrozenLayersStayAndTheOthersAreTheCpus) {
  train_.optimizer = SgdOptions{.weight_decay = 1e-3F};
  const TrainingData rows = data(test_comm());
  using Patterns = std::vector<std::string>;
  for (const Patterns& freeze :
       {Patterns{"0.*", "1.*"}, Patterns{"3.*", "4.*", "6.*", "7.*", "8.*"}, Patterns{"*", "!20.*"},
        Patterns{"4.group_norm.shift", "6.residual.1.layer_norm.scale", "7.conv.weight",
                 "8.batch_norm.scale", "12.residual.1.*", "13.*", "18.dense.bias",
                 "20.dense.weight"}}) {
    network_ = network(freeze);
    GpuStepper gpu = on_gpu(test_comm(), rows);
    CpuStepper cpu = on_cpu(test_comm(), rows);
    const std::vector<float> begin(gpu.replica().weights.values().begin(),
                                   gpu.replica().weights.values().end());
    for (int step = 0; step < 2; ++step) {
      gpu.step(0, step, kRate);
      cpu.step(0, step, kRate);
    }
    const std::span<const float> mine = gpu.replica().weights.values();
    const std::span<const float> other = cpu.replica().weights.values();
    for (const Parameter& parameter : network_.parameters()) {
      for (std::int64_t at = parameter.range.first; at < parameter.range.last; ++at) {
        const auto i = static_cast<std::size_t>(at);
        ASSERT_NEAR(mine[i], other[i], 1e-4 * std::max(1.0F, std::abs(other[i]))) << parameter.name;
        if (!parameter.frozen) continue;
        ASSERT_EQ(mine[i], begin[i]) << parameter.name;
      }
    }
  }
}

}  // namespace
}  // namespace lockstep
