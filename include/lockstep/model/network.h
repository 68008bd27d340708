// The network that an experiment's layer list describes: its graph, its plan, and its flat
// weights. Immutable, free of LibTorch; made once a rank and shared by its workers.
//
// Flat weights are fp32: first the trainable parameters in layer order, each starting at a
// multiple of 16 floats (gaps are zero), then the running statistics likewise, then all that is
// frozen: no step reads or writes a gradient, a moment or a sum for it.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/model/graph.h"
#include "lockstep/model/options.h"
#include "lockstep/model/plan.h"

namespace lockstep {

class Network {
 public:
  // Throws Error (2) that names the layer where shapes do not fit, or where the
  // last layer's output is not [1, 1, classes]. The trainable parameters that `freeze` chooses
  // (core/pattern.h) are frozen, and the statistics of a batch norm whose scale and shift both
  // are: it uses them in training too. Error (2): a pattern that is for none of them; nothing
  // is left to train.
  Network(const ModelOptions& options, const ImageShape& input, int classes,
          std::span<const std::string> freeze = {});

  const Graph& graph() const { return graph_; }
  const Plan& plan() const { return plan_; }
  const ImageShape& input() const { return graph_.values.front(); }
  int classes() const { return graph_.values.back().channels; }
  const std::vector<LayerInfo>& layers() const { return graph_.layers; }

  // Trainable parameters first, then running statistics, in both the frozen ones among the
  // others; ranges ascend but for those of the frozen ones.
  const std::vector<Parameter>& parameters() const { return graph_.parameters; }
  std::int64_t parameter_count() const;            // without gaps
  std::int64_t trainable_parameter_count() const;  // without gaps and frozen ones

  // Floats of the flat weights, with gaps: [0, trainable), [trainable, changing) of the
  // statistics, [changing, total) of what is frozen.
  std::int64_t trainable_size() const { return sizes_.trainable; }
  std::int64_t changing_size() const { return sizes_.changing; }
  std::int64_t total_size() const { return sizes_.total; }
  std::int64_t statistics_size() const { return sizes_.changing - sizes_.trainable; }

  // Weights at the start of a run, [total_size()]: weights by the layer's
  // initializer from Philox keyed by the seed, biases and running means 0, scales
  // and running variances 1. fan_in, fan_out: inputs and outputs of a unit
  // times the kernel's area.
  //   GLOROT: Glorot and Bengio (2010), eq. 16: uniform in +-sqrt(6 / (fan_in + fan_out)),
  //     normal with variance 2 / (fan_in + fan_out).
  //   HE: He et al. (2015), eq. 10: uniform in +-sqrt(6 / fan_in), normal with variance
  //     2 / fan_in.
  //   KAIMING_NORMAL_FAN_OUT: the same, eq. 14: normal with variance 2 / fan_out, as the
  //     convolutions of torchvision's ResNet.
  //   PYTORCH: what torch.nn's Conv2d and Linear begin with, kaiming_uniform_(a=sqrt(5)):
  //     weights and biases uniform in +-1 / sqrt(fan_in).
  //   TRUNCATED_NORMAL: timm's trunc_normal_(std=0.02): normal with deviation 0.02; its cut at
  //     +-2 is 100 deviations away, where no draw comes.
  std::vector<float> initial_weights(std::uint64_t seed) const;

  // Moves the running statistics, `weights` [total_size()], towards those of
  // update `update` (from 1): r = m r + (1 - m) sums / samples, `sums`
  // [statistics_size()] being lane statistics times lane samples, summed over
  // lanes. m is the layer's momentum, but of those that are not among the names `taken` at most
  // 1 - 1 / update: the plain mean of the first updates, so that no trace of 0 and 1 stays.
  void update_statistics(std::span<float> weights, std::span<const float> sums, float samples,
                         std::int64_t update, const std::set<std::string>& taken = {}) const;

 private:
  Graph graph_;
  Plan plan_;
  FlatSizes sizes_;
};

}  // namespace lockstep
