// Weights as PyTorch has them, and what a network of ours makes of them.
#pragma once

#include <ATen/ops/from_blob.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lockstep/core/error.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/run/initial_weights.h"
#include "lockstep/train/run_state.h"

namespace lockstep::test {

constexpr ImageShape kShape{9, 7, 3};
constexpr int kClasses = 5;
constexpr std::uint64_t kSeed = 4;
using Shape = std::vector<std::int64_t>;

// Another value at every place, of the size that a trained network's have.
inline std::vector<float> values_of(const Shape& shape, float phase, float middle, float size) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) {
    values.push_back(middle + size * std::sin(0.731F * static_cast<float>(i) + phase));
  }
  return values;
}

// A file's tensors.
class Tensors {
 public:
  void add(const std::string& name, const Shape& shape, float middle, float size) {
    names_.push_back(name);
    shapes_[name] = shape;
    values_[name] = values_of(shape, static_cast<float>(names_.size()), middle, size);
  }
  void rename(const std::string& from, const std::string& to) {
    *std::find(names_.begin(), names_.end(), from) = to;
    shapes_[to] = shapes_.at(from);
    values_[to] = std::move(values_.at(from));
  }

  at::Tensor at(const std::string& name) {
    return at::from_blob(values_.at(name).data(), shapes_.at(name), at::kFloat);
  }
  std::vector<float>& values(const std::string& name) { return values_.at(name); }

  SafetensorsFile file(const Metadata& metadata = {}) const {
    std::vector<TensorView> views;
    for (const std::string& name : names_) {
      views.push_back({name, shapes_.at(name), values_.at(name)});
    }
    return {to_safetensors(views, metadata), "theirs", Dtypes::kAny};
  }

 private:
  std::vector<std::string> names_;
  std::map<std::string, Shape> shapes_;
  std::map<std::string, std::vector<float>> values_;
};

inline Batch batch_of(int channels) {
  Batch batch;
  batch.size = 4;
  batch.labels = {0, 1, 2, 3};
  batch.rows = {0, 1, 2, 3};
  batch.images = values_of({4, kShape.height, kShape.width, channels}, 0.4F, 0.5F, 0.5F);
  return batch;
}

// [samples, channels, height, width] of a batch.
inline at::Tensor images_of(const Batch& batch, int channels) {
  return at::from_blob(const_cast<float*>(batch.images.data()),
                       {batch.size, kShape.height, kShape.width, channels}, at::kFloat)
      .permute({0, 3, 1, 2});
}

inline std::vector<float> our_logits(const Network& network, const InitialWeights& initial,
                                     const Batch& batch) {
  prepare_worker_thread();
  std::vector<float> logits(static_cast<std::size_t>(batch.size * network.classes()));
  LaneExecutor(network, Precision::kFp32)
      .infer(Weights(initial.values, Precision::kFp32), batch, logits);
  return logits;
}

inline void expect_near(const std::vector<float>& logits, const at::Tensor& expected) {
  const at::Tensor flat = expected.contiguous();
  ASSERT_EQ(static_cast<std::int64_t>(logits.size()), flat.numel());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    EXPECT_NEAR(logits[i], flat.data_ptr<float>()[i], 1e-4) << i;
  }
}

inline std::string outcome_of(const InitialWeights& initial, const std::string& parameter) {
  for (const InitialRow& row : initial.rows) {
    if (row.parameter == parameter) return row.outcome;
  }
  return "no such row";
}

inline std::string refusal(const Network& network, const InitializeOptions& options,
                           const SafetensorsFile& file) {
  try {
    take_weights(network, options, file, kSeed);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "";
}

}  // namespace lockstep::test
