// A network's loss, gradients, statistics and logits by the executor, against LibTorch in double.
#pragma once

#include <gtest/gtest.h>

#include <cmath>

#include "model/errors.h"
#include "model/torch_reference.h"

namespace lockstep::gradients {

using samples::Phase;
using samples::TorchReference;
inline constexpr ActivationKind kRelu = ActivationKind::kRelu;

struct Case {
  std::vector<LayerOptions> layers;  // the last one, a dense layer for the logits, is added
  ImageShape input{9, 8, 2};
  int batch = 13;
  float label_smoothing = 0;
  double fp32_tolerance = 1e-5;  // of the largest gradient of a parameter
  double bf16_tolerance = 3e-2;  // of the norm of a parameter's gradient
};

// Where a window has near winners, or a relu an input near 0, rounding to bf16 changes
// whose gradient it is. The kernels alone are held to the last bit elsewhere.
inline constexpr double kChoosyBf16 = 0.15;

inline constexpr int kClasses = 6;

inline ModelOptions model_of(const Case& each) {
  ModelOptions model{each.layers};
  model.layers.push_back(FlattenOptions{});
  model.layers.push_back(DenseOptions{.units = kClasses});
  return model;
}

inline Batch batch_of(const ImageShape& shape, int size, int classes) {
  Batch batch;
  batch.size = size;
  for (int n = 0; n < size; ++n) {
    batch.rows.push_back(static_cast<std::uint64_t>(n) * 1'000'000'007U);
    batch.labels.push_back((n * n + 2) % classes);
    for (int i = 0; i < shape.pixels(); ++i) {
      batch.images.push_back(static_cast<float>(std::sin(0.9 * i * (n + 1) + 0.37 * n)));
    }
  }
  return batch;
}

// Every parameter away from its initial value, so that biases and scales count.
inline std::vector<float> weights_of(const Network& network) {
  std::vector<float> values = network.initial_weights(9);
  for (const Parameter& parameter : network.parameters()) {
    if (parameter.name.ends_with(".weight")) continue;
    for (std::int64_t i = parameter.range.first; i < parameter.range.last; ++i) {
      values[static_cast<std::size_t>(i)] +=
          0.3F * std::sin(1.7F * static_cast<float>(i % 101) + 1);
    }
  }
  return values;
}

// What one executor's pass gave, against the reference.
struct Trained {
  std::vector<float> gradients;
  std::vector<float> statistics;
  LaneResult result;
};

inline Trained train(const Network& network, const std::vector<float>& values, Precision precision,
                     const Batch& batch, const LaneContext& context) {
  Trained trained;
  trained.gradients.resize(static_cast<std::size_t>(network.trainable_size()));
  trained.statistics.resize(static_cast<std::size_t>(network.statistics_size()));
  LaneExecutor executor(network, precision);
  trained.result = executor.train(Weights(values, precision), batch, context, trained.gradients,
                                  trained.statistics);
  return trained;
}

inline void expect_as_reference(const ModelOptions& model, const Network& network, const Case& each,
                                const Batch& batch, Precision precision) {
  const LaneContext context{77, 3, each.label_smoothing};
  const std::vector<float> values = weights_of(network);
  const Trained trained = train(network, values, precision, batch, context);
  TorchReference reference(model, network, values);
  const double loss = reference.train(batch, context);
  const bool fp32 = precision == Precision::kFp32;
  EXPECT_NEAR(trained.result.loss_sum, loss, (fp32 ? 1e-5 : each.bf16_tolerance) * loss);
  // A parameter's own size is no measure where its gradient cancels, as that of a bias
  // before a norm.
  double largest = 0;
  double norm = 0;
  for (const Parameter& parameter : network.parameters()) {
    if (parameter.range.first >= network.trainable_size()) break;
    const Errors errors =
        compare(part(trained.gradients, parameter.range), reference.gradient(parameter.name));
    largest = std::max(largest, errors.expected);
    norm = std::max(norm, errors.expected_norm);
  }
  for (const Parameter& parameter : network.parameters()) {
    SCOPED_TRACE(parameter.name);
    const bool running = parameter.range.first >= network.trainable_size();
    // Statistics are the lane's times its samples.
    const Errors errors =
        running
            ? compare(part(trained.statistics, parameter.range, network.trainable_size()),
                      reference.parameter(parameter.name).mul(batch.size))
            : compare(part(trained.gradients, parameter.range), reference.gradient(parameter.name));
    if (fp32) {
      EXPECT_LE(errors.largest, each.fp32_tolerance * std::max(errors.expected, 0.1 * largest));
    } else {
      EXPECT_LE(errors.norm, each.bf16_tolerance * std::max(errors.expected_norm, 0.3 * norm));
    }
  }
}

inline void expect_inference(const ModelOptions& model, const Network& network, const Batch& batch,
                             Precision precision, double tolerance) {
  const std::vector<float> values = weights_of(network);
  std::vector<float> logits(static_cast<std::size_t>(batch.size * network.classes()));
  LaneExecutor executor(network, precision);
  executor.infer(Weights(values, precision), batch, logits);
  TorchReference reference(model, network, values);
  const Errors errors = compare(logits, reference.logits(batch, {}, Phase::kInfer).detach());
  EXPECT_LE(errors.norm, tolerance * errors.expected_norm);
}

inline void expect_case(const Case& each) {
  prepare_worker_thread();
  const ModelOptions model = model_of(each);
  const Network network(model, each.input, kClasses);
  const Batch batch = batch_of(each.input, each.batch, kClasses);
  for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
    const bool fp32 = precision == Precision::kFp32;
    if (!fp32 && !has_bf16_instructions()) continue;  // a training takes FP32 then
    SCOPED_TRACE(fp32 ? "fp32" : "bf16");
    expect_as_reference(model, network, each, batch, precision);
    expect_inference(model, network, batch, precision,
                     fp32 ? each.fp32_tolerance : each.bf16_tolerance);
  }
}

}  // namespace lockstep::gradients
