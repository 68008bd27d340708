// What goes on around the steps on the accelerator under test: other replicas, wishes, faults,
// evaluation, a whole training.

#include "gpu/gpu_steps.h"

namespace lockstep {
namespace {

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
  std::uint64_t free_memory() const override { return sound_.free_memory(); }
  std::unique_ptr<Feed> make_feed(std::byte* device, std::size_t place_bytes, int places) override {
    return sound_.make_feed(device, place_bytes, places);
  }
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
    for (const EvaluationOptions& options :
         {EvaluationOptions{}, EvaluationOptions{.average_flips = true},
          EvaluationOptions{.average_shifts = 2},
          EvaluationOptions{.average_flips = true, .average_shifts = 1}}) {
      GpuEvaluator gpu(accelerator_, network_, precision, normalization, options);
      CpuEvaluator cpu(network_, workers_, precision, normalization, options);
      const std::vector<float> of_gpu = gpu.logits(weights, rows.validation());
      const std::vector<float> of_cpu = cpu.logits(weights, rows.validation());
      ASSERT_EQ(of_gpu.size(), of_cpu.size());
      const double limit = precision == Precision::kFp32 ? 1e-4 : 0.1;
      for (std::size_t i = 0; i < of_gpu.size(); ++i) ASSERT_NEAR(of_gpu[i], of_cpu[i], limit) << i;
    }
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
