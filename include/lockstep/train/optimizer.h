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
#include "lockstep/train/update_parts.h"

namespace lockstep {

// What one step's update is given beside the gradients.
struct UpdateRule {
  float learning_rate = 0;
  float gradient_factor = 1;  // turns summed gradients into clipped means
  std::int64_t step = 1;      // updates done, this one included; from 1
};

// What an update's formula takes from the options and from its step; of no meaning where
// the options are another optimizer's. Decay is a part's.
UpdateKind update_kind(const OptimizerOptions& options);
AdamConstants adam_constants(const OptimizerOptions& options);
SgdConstants sgd_constants(const OptimizerOptions& options);
AdamStep adam_step(const OptimizerOptions& options, float learning_rate, std::int64_t step);
float trust_coefficient(const OptimizerOptions& options);  // 1 without one
float weight_decay_of(const OptimizerOptions& options);    // 0 without one
bool has_trust_ratios(UpdateKind kind);

// Whether the experiment's `decays` changes what is computed.
bool depends_on_decays(const OptimizerOptions& options);

// The learning rate that the schedule multiplies.
float base_learning_rate(const OptimizerOptions& options);

// Names of the buffers that the run state has, each as large as the trainable weights.
std::vector<std::string> buffer_names(const OptimizerOptions& options);

// What a matrix' orthogonal direction is multiplied by (Liu et al. 2025, "Muon is scalable for
// LLM training", equation 4), so that its elements move as AdamW's do.
float muon_scale(const UpdatePart& matrix);

// Trust ratios come from sums over blocks of a part, which are added in their order.
inline constexpr std::int64_t kRatioBlock = 4096;  // floats
struct RatioBlock {
  std::size_t part = 0;
  Range range;
};
std::vector<RatioBlock> ratio_blocks(std::span<const UpdatePart> parts);

// Indices of the parts that are matrices, those first that take longest to be made orthogonal.
std::vector<std::size_t> matrices_by_cost(std::span<const UpdatePart> parts);

class Optimizer {
 public:
  Optimizer(const OptimizerOptions& options, std::vector<UpdatePart> parts);
  // One part of `size`, which decays and has a trust ratio.
  Optimizer(const OptimizerOptions& options, std::int64_t size);

  // Whether update() wants whole parameters prepared: worker `worker` of `count` does its share
  // of prepare(), and when all have, one thread calls finish_preparation(). Local.
  bool prepares() const;
  void prepare(int worker, int count, std::span<float> weights, std::span<const float> gradients,
               const UpdateRule& rule);
  void finish_preparation() noexcept;

  // Local: updates weights [range]; disjoint ranges by any threads. g is the gradient times
  // rule.gradient_factor, t is rule.step, a the learning rate times the part's factor, d the
  // part's decay; norms are Euclidean, each of one parameter.
  //   Adam (Kingma and Ba 2015, algorithm 1): m = b1 m + (1 - b1) g,
  //     v = b2 v + (1 - b2) g^2, w -= a (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + e).
  //   AdamW (Loshchilov and Hutter 2019, algorithm 2): w -= a d w before that.
  //   SGD: g += d w; m = momentum m + g; w -= a m, or with Nesterov's
  //     momentum (Sutskever et al. 2013) w -= a (g + momentum m).
  //   LAMB (You et al. 2020, algorithm 2, with the identity as its function of the norm): m and v
  //     as Adam's, u = (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + e) + d w, w -= a |w| / |u| u.
  //   LARS (You et al. 2017, algorithm 1): m = momentum m + a c |w| / (|g| + d |w|) (g + d w),
  //     w -= m, c the trust coefficient. In both the quotient of norms is 1 where one of them
  //     is 0, and for parts that are not adapted.
  //   Muon (Jordan et al. 2024): of a matrix m = momentum m + g, o = g + momentum m made
  //     orthogonal (orthogonal.h), w -= a d w, w -= a 0.2 sqrt(max(rows, columns)) o; other
  //     parameters as by AdamW.
  void update(Range range, std::span<float> weights, std::span<const float> gradients,
              const UpdateRule& rule);

  const std::vector<UpdatePart>& parts() const { return parts_; }

  // Its state: buffers [size] by name, for the run state.
  struct Buffer {
    std::string name;
    std::vector<float> values;
  };
  std::vector<Buffer>& buffers() { return buffers_; }
  const std::vector<Buffer>& buffers() const { return buffers_; }

 private:
  // The flat buffers from one element on.
  struct At {
    float* weight;
    const float* gradient;
    float* first;
    float* second;  // null where there is none
  };
  At at(std::int64_t element, std::span<float> weights, std::span<const float> gradients);

  void update_part(std::size_t part, std::int64_t count, const At& at, const UpdateRule& rule,
                   const AdamStep& step);
  void measure(std::size_t block, const At& at, const UpdateRule& rule);
  void move_matrix(const UpdatePart& part, const At& at, const UpdateRule& rule) const;

  OptimizerOptions options_;
  std::vector<UpdatePart> parts_;
  std::vector<Buffer> buffers_;

  // Of the update under way.
  struct Squares {
    double weights = 0;
    double others = 0;  // directions, or gradients
  };
  std::vector<RatioBlock> blocks_;     // of optimizers with trust ratios
  std::vector<Squares> squares_;       // by block
  std::vector<float> ratios_;          // by part
  std::vector<std::size_t> matrices_;  // parts, the costliest first
};

}  // namespace lockstep
