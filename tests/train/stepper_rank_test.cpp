// Steps with a fault in them, on every number of ranks.

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "data/samples.h"
#include "lockstep/core/error.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/train/cpu_stepper.h"
#include "support/rank_test.h"

namespace lockstep {
namespace {

constexpr int kLanes = 5;
constexpr std::uint64_t kSeed = 23;
constexpr float kRate = 0.01F;

class StepperTest : public testing::Test {
 protected:
  DataOptions options() const {
    DataOptions options = samples::options();
    options.train.path = path_;
    return options;
  }

  CpuStepper stepper() {
    return {test_comm(), network_, data_, workers_, parallel_, train_, kSeed};
  }

  Digest digest(CpuStepper& stepper) const { return stepper.weights().digest(network_); }

  samples::SharedFolder folder_{test_comm()};
  std::string path_ = folder_.write("train.csv", samples::csv(samples::kRows));
  TrainingData data_{test_comm(), options(), kLanes, kSeed};
  Network network_{{{FlattenOptions{}, DenseOptions{.units = 9}, BatchNormOptions{},
                     DenseOptions{.units = samples::kClasses}}},
                   samples::options().shape,
                   samples::kClasses};
  Workers workers_{2, prepare_worker_thread};
  ParallelOptions parallel_{.global_batch = 96, .lanes = kLanes};
  TrainOptions train_;
};

// Its weight is spoilt for the step alone, so that its lanes give NaN and the others'
// do not.
TEST_F(StepperTest, NanOfOneRankIsSkippedByAll) {
  Communicator& comm = test_comm();
  CpuStepper undisturbed = stepper();
  undisturbed.step(0, 0, kRate);
  undisturbed.step(0, 2, kRate);
  for (int victim = 0; victim < comm.world_size(); ++victim) {
    CpuStepper each = stepper();
    each.step(0, 0, kRate);
    const Digest before = digest(each);
    float& weight = each.weights().values()[0];
    const float right = weight;
    if (comm.rank() == victim) weight = std::numeric_limits<float>::quiet_NaN();
    const StepSum sum = each.step(0, 1, kRate);
    weight = right;
    EXPECT_FALSE(std::isfinite(sum.square_norm));
    EXPECT_EQ(each.replica().updates, 1);
    EXPECT_EQ(digest(each), before);
    EXPECT_NO_THROW(check_replicas(comm, network_, each.weights()));
    // Nothing of it is left: neither in the weights, nor in the optimizer.
    each.step(0, 2, kRate);
    EXPECT_EQ(each.replica().updates, 2);
    EXPECT_EQ(digest(each), digest(undisturbed));
  }
}

TEST_F(StepperTest, ResultIsTheMovingAverageOfTheWeights) {
  constexpr double kDecay = 0.5;
  train_.ema_decay = kDecay;
  CpuStepper each = stepper();
  const auto values = [&] { return each.weights().values(); };
  std::vector<double> expected(values().begin(), values().end());
  for (int step = 0; step < 7; ++step) {
    each.step(0, step, kRate);
    const double t = step + 1;
    const double decay = std::min(kDecay, (1 + t) / (10 + t));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      expected[i] = decay * expected[i] + (1 - decay) * values()[i];
    }
  }
  const Weights result = each.replica().result();
  double largest_distance = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(result.values()[i], expected[i], 1e-6);
    largest_distance = std::max<double>(largest_distance, std::abs(expected[i] - values()[i]));
  }
  EXPECT_GT(largest_distance, 1e-3);  // the last weights are something else
}

// sklearn.utils.class_weight.compute_class_weight("balanced", ...) of scikit-learn 1.9.1 for
// these counts; a class without rows is left out there.
TEST(LossWeights, BalanceTheClassesThatAreThere) {
  TrainOptions train;
  train.class_weights = {1, 2, 4};
  const std::vector<std::int64_t> counts = {500, 0, 300, 197};
  EXPECT_EQ(loss_weights(train, counts), train.class_weights);
  train.class_weights.clear();
  train.balance_classes = true;
  const std::vector<float> weights = loss_weights(train, counts);
  ASSERT_EQ(weights.size(), 4U);
  EXPECT_FLOAT_EQ(weights[0], 0.6646666666666666F);
  EXPECT_EQ(weights[1], 0);
  EXPECT_FLOAT_EQ(weights[2], 1.1077777777777778F);
  EXPECT_FLOAT_EQ(weights[3], 1.6869712351945855F);
}

TEST_F(StepperTest, FlippedBitIsFoundAfterTheNextSteps) {
  Communicator& comm = test_comm();
  if (comm.world_size() == 1) GTEST_SKIP() << "one rank has nobody to differ from";
  const int victim = comm.world_size() - 1;
  CpuStepper each = stepper();
  each.step(0, 0, kRate);
  if (comm.rank() == victim) {
    float& weight = each.weights().values()[5];
    // Not the last bit, which the next update may round away.
    weight = std::bit_cast<float>(std::bit_cast<std::uint32_t>(weight) ^ 1U << 20);
  }
  each.step(0, 1, kRate);
  each.step(0, 2, kRate);
  try {
    check_replicas(comm, network_, each.weights());
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kPeer);
    EXPECT_NE(std::string(error.what()).find(fmt::format("rank {} in \"", victim)),
              std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace lockstep
