// Optimizers over the flat weights. One a rank; every rank's does the same with
// the same inputs, so replicas stay equal.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lockstep/core/learning_formulas.h"
#include "lockstep/core/share.h"
#include "lockstep/train/options.h"

namespace lockstep {

// What one step's update is given beside the gradients.
struct UpdateRule {
  float learning_rate = 0;
  float gradient_factor = 1;  // turns summed gradients into clipped means
  std::int64_t step = 1;      // updates done, this one included; from 1
};

// What an update's formula takes from the options and from its step; of no meaning where
// the options are another optimizer's.
AdamConstants adam_constants(const OptimizerOptions& options);
SgdConstants sgd_constants(const OptimizerOptions& options);
AdamStep adam_step(const OptimizerOptions& options, float learning_rate, std::int64_t step);

// The learning rate that the schedule multiplies.
float base_learning_rate(const OptimizerOptions& options);

class Optimizer {
 public:
  Optimizer(const OptimizerOptions& options, std::int64_t size);

  // Local: updates weights [range]; disjoint ranges by any threads. g is the
  // gradient times rule.gradient_factor, t is rule.step, a the learning rate.
  //   Adam (Kingma and Ba 2015, algorithm 1): m = b1 m + (1 - b1) g,
  //     v = b2 v + (1 - b2) g^2, w -= a (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + e).
  //   AdamW (Loshchilov and Hutter 2019, algorithm 2): w -= a decay w before that.
  //   SGD: g += decay w; m = momentum m + g; w -= a m, or with Nesterov's
  //     momentum (Sutskever et al. 2013) w -= a (g + momentum m).
  void update(Range range, std::span<float> weights, std::span<const float> gradients,
              const UpdateRule& rule);

  // Its state: buffers [size] by name, for the run state.
  struct Buffer {
    std::string name;
    std::vector<float> values;
  };
  std::vector<Buffer>& buffers() { return buffers_; }
  const std::vector<Buffer>& buffers() const { return buffers_; }

 private:
  OptimizerOptions options_;
  std::vector<Buffer> buffers_;
};

}  // namespace lockstep
