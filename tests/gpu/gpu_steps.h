// Whole steps on the accelerator under test: 997 rows, a batch that leaves a remainder, five
// lanes.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "data/samples.h"
#include "gpu/host/host_accelerator.h"
#include "gpu/host/late_accelerator.h"
#include "gpu/test_accelerator.h"
#include "lockstep/core/error.h"
#include "lockstep/core/host.h"
#include "lockstep/data/pack.h"
#include "lockstep/gpu/gpu_evaluator.h"
#include "lockstep/gpu/gpu_stepper.h"
#include "lockstep/gpu/row_residence.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/train/cpu_stepper.h"
#include "lockstep/train/trainer.h"
#include "support/rank_test.h"

namespace lockstep {

inline constexpr int kLanes = 5;
inline constexpr std::uint64_t kSeed = 23;
inline constexpr float kRate = 0.003F;

// Every kind of op, in forms that fuse differently.
inline Network network(const std::vector<std::string>& freeze = {}) {
  const ConvOptions same{.filters = 9, .padding = Padding::kSame, .bias = false};
  const ResidualOptions residual{.layers = {same, BatchNormOptions{}},
                                 .shortcut = {},
                                 .activation = ActivationKind::kRelu,
                                 .drop_path = 0.2F};
  const ResidualOptions ended{
      .layers = {same, BatchNormOptions{}}, .shortcut = {}, .activation = ActivationKind::kRelu};
  const ResidualOptions projected{.layers = {same, BatchNormOptions{}},
                                  .shortcut = {{same, BatchNormOptions{}}}};
  const BranchesOptions branches{{{{}}, {{ConvOptions{.filters = 3, .kernel = 1}}}}};
  const GateOptions gate{{AvgPoolOptions{.global = true},
                          DenseOptions{.units = 12, .activation = ActivationKind::kSigmoid}}};
  return Network(
      {{ConvOptions{.filters = 6, .padding = Padding::kSame, .activation = ActivationKind::kRelu},
        BatchNormOptions{},
        DropoutOptions{.rate = 0.25F},
        ConvOptions{.filters = 6, .padding_pixels = 2, .dilation = 2, .groups = 3},
        GroupNormOptions{.groups = 2},
        MaxPoolOptions{.size = 3, .stride = 1, .padding_pixels = 1},
        ResidualOptions{.layers = {ConvOptions{.filters = 6, .kernel = 1}, LayerNormOptions{}},
                        .shortcut = {},
                        .activation = ActivationKind::kHardSwish},
        ConvOptions{.filters = 9, .kernel = 2, .padding = Padding::kSame, .bias = false},
        BatchNormOptions{},
        ActivationOptions{ActivationKind::kRelu},
        MaxPoolOptions{.size = 2},
        DropoutOptions{.rate = 0.1F},
        residual,
        ended,
        projected,
        branches,
        gate,
        FlattenOptions{},
        DenseOptions{.units = 33, .activation = ActivationKind::kGelu},
        BatchNormOptions{},
        DenseOptions{.units = samples::kClasses}}},
      samples::options().shape, samples::kClasses, freeze);
}

class GpuSteps : public testing::Test {
 protected:
  TrainingData data(Communicator& comm) {
    DataOptions options = samples::options();
    options.train.path = path_;
    options.augmentation = augmentation_;
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
    return digest_of_training(comm, data(comm), accelerator_);
  }
  Digest digest_of_training(Communicator& comm, const TrainingData& rows,
                            Accelerator& accelerator) {
    GpuStepper stepper(accelerator, comm, network_, rows, parallel_, train_, kSeed);
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
  AugmentationOptions augmentation_{.rotation_degrees = 5, .translation_pixels = 1, .scale = 0.1F};
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

}  // namespace lockstep
