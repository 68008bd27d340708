// The network that an experiment's layer list describes: its shapes and where
// each of its parameters lies in the flat weights. Immutable, free of LibTorch;
// made once a rank and shared by its workers.
//
// Activations are [samples, height, width, channels]; dense layers see one pixel
// of `units` channels. Flatten keeps that order. Flat weights are fp32: first the
// trainable parameters in layer order, each starting at a multiple of 16 floats
// (gaps are zero), then the running statistics likewise.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/core/share.h"
#include "lockstep/model/options.h"

namespace lockstep {

struct Parameter {
  std::string name;                 // "<layer index>.<layer kind>.<role>", as "0.conv.weight"
  std::vector<std::int64_t> shape;  // conv weight: [filters, kernel, kernel, inputs];
                                    // dense weight: [units, inputs]; others: [channels]
  Range range;                      // of the flat weights
};

struct LayerInfo {
  std::string kind;  // "conv 32 3x3 relu"
  ImageShape output;
  std::int64_t parameters = 0;  // trainable ones and statistics
  std::int64_t trainable_parameters = 0;
  std::int64_t multiply_adds = 0;  // of a sample's forward pass: conv and dense, without biases
};

struct Op;

class Network {
 public:
  // Throws Error (2) that names the layer where shapes do not fit, or where the
  // last layer's output is not [1, 1, classes].
  Network(const ModelOptions& options, const ImageShape& input, int classes);
  ~Network();
  Network(Network&&) noexcept;

  const ImageShape& input() const { return input_; }
  int classes() const { return classes_; }
  const std::vector<LayerInfo>& layers() const { return layers_; }

  // Trainable parameters first, then running statistics; ranges ascend.
  const std::vector<Parameter>& parameters() const { return parameters_; }
  std::int64_t parameter_count() const;            // without gaps
  std::int64_t trainable_parameter_count() const;  // without gaps

  // Floats of the flat weights, with gaps: [0, trainable) and [trainable, total).
  std::int64_t trainable_size() const { return trainable_size_; }
  std::int64_t total_size() const { return total_size_; }
  std::int64_t statistics_size() const { return total_size_ - trainable_size_; }

  // Weights at the start of a run, [total_size()]: weights by the layer's
  // initializer from Philox keyed by the seed, biases and running means 0, scales
  // and running variances 1. fan_in, fan_out: inputs and outputs of a unit
  // times the kernel's area.
  //   Glorot and Bengio (2010), eq. 16: uniform in +-sqrt(6 / (fan_in + fan_out)),
  //   normal with variance 2 / (fan_in + fan_out); He et al. (2015), eq. 10:
  //   uniform in +-sqrt(6 / fan_in), normal with variance 2 / fan_in.
  std::vector<float> initial_weights(std::uint64_t seed) const;

  // Moves the running statistics, `weights` [total_size()], towards those of
  // update `update` (from 1): r = m r + (1 - m) sums / samples, `sums`
  // [statistics_size()] being lane statistics times lane samples, summed over
  // lanes. m is the layer's momentum, but at most 1 - 1 / update: the plain mean
  // of the first updates, so that no trace of the initial values stays.
  void update_statistics(std::span<float> weights, std::span<const float> sums, float samples,
                         std::int64_t update) const;

  // The work of a forward pass in order; for the rest of the model room.
  const std::vector<Op>& ops() const { return ops_; }

 private:
  friend class NetworkBuilder;

  ImageShape input_;
  int classes_;
  std::vector<LayerInfo> layers_;
  std::vector<Parameter> parameters_;
  std::vector<Initializer> initializers_;  // by trainable parameter
  std::vector<Op> ops_;
  std::int64_t trainable_size_ = 0;
  std::int64_t total_size_ = 0;
};

}  // namespace lockstep
