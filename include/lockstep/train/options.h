// The training, optimizer and schedule sections of an experiment. Plain values,
// the only home of their defaults.
#pragma once

#include <string>
#include <variant>
#include <vector>

namespace lockstep {

struct AdamOptions {
  float learning_rate = 1e-3F;
  float beta1 = 0.9F;
  float beta2 = 0.999F;
  float epsilon = 1e-8F;
};

struct AdamWOptions {
  float learning_rate = 1e-3F;
  float beta1 = 0.9F;
  float beta2 = 0.999F;
  float epsilon = 1e-8F;
  float weight_decay = 1e-2F;
};

struct SgdOptions {
  float learning_rate = 1e-2F;
  float momentum = 0.9F;
  float weight_decay = 0;
  bool nesterov = false;
};

struct LambOptions {
  float learning_rate = 1e-3F;
  float beta1 = 0.9F;
  float beta2 = 0.999F;
  float epsilon = 1e-6F;
  float weight_decay = 1e-2F;
};

struct LarsOptions {
  float learning_rate = 1;
  float momentum = 0.9F;
  float weight_decay = 5e-4F;
  float trust_coefficient = 1e-3F;
};

struct MuonOptions {
  float learning_rate = 1e-3F;
  float momentum = 0.95F;
  float weight_decay = 1e-2F;
  float beta1 = 0.9F;
  float beta2 = 0.999F;
  float epsilon = 1e-8F;
};

using OptimizerOptions =
    std::variant<AdamOptions, AdamWOptions, SgdOptions, LambOptions, LarsOptions, MuonOptions>;

// What weight decay is for, and the trust ratios of LAMB and LARS: the weights of
// convolutions and dense layers alone; or every parameter, biases, scales and shifts too.
enum class Decays { kWeights, kAll };

// Parameters that are updated in a way of their own. A pattern stands for each parameter
// whose name it matches, whole or up to one of its dots; * is any text, ? any character.
struct ParameterGroup {
  std::vector<std::string> layers;  // patterns
  float rate_factor = 1;            // of the learning rate
  float decay_factor = 1;           // of the optimizer's weight decay
};

// The rate of step t of T, as a factor of the optimizer's learning rate.
struct ConstantSchedule {};

// (t + 1) / (W + 1) over the W steps of the warm-up, so 1 at step W, then a half
// cosine down to `final_factor` at the last step.
struct WarmupCosineSchedule {
  double warmup_epochs = 1;
  double final_factor = 0;
};

// (t + 1) / (W + 1) over the W steps of the warm-up, so 1 at step W, then in equal steps
// down to `final_factor` at the last step.
struct LinearSchedule {
  double warmup_epochs = 1;
  double final_factor = 0;
};

// factor^n, n being the number of milestones that step t has reached, or of whole
// `every_epochs` before it; over the W steps of the warm-up times (t + 1) / (W + 1).
struct StepSchedule {
  double every_epochs = 0;           // 0: at milestones
  std::vector<double> milestones{};  // epochs, ascending
  double factor = 0.1;
  double warmup_epochs = 0;
};

// One cycle (Smith and Topin, "Super-Convergence", 2017), with the steps of PyTorch's
// OneCycleLR: half-cosine from 1/initial_divisor at step 0 up to 1 at step
// warmup_fraction T - 1 (or 0), then down to 1/(initial_divisor * final_divisor) at
// the last step.
struct OneCycleSchedule {
  double warmup_fraction = 0.3;
  double initial_divisor = 25;
  double final_divisor = 1e4;
};

using ScheduleOptions = std::variant<ConstantSchedule, WarmupCosineSchedule, OneCycleSchedule,
                                     LinearSchedule, StepSchedule>;

struct TrainOptions {
  int epochs = 10;
  float clip_norm = 0;                    // limit of the gradient's Euclidean norm; 0: none
  float label_smoothing = 0;              // in [0, 1)
  std::vector<float> class_weights = {};  // of the loss, by class; empty: 1 each
  bool balance_classes = false;           // those that make every class count the same
  float ema_decay = 0;                    // of the moving average of the weights; 0: none
  int log_every_steps = 50;               // a line of metrics.jsonl so often
  OptimizerOptions optimizer;
  Decays decays = Decays::kWeights;
  std::vector<ParameterGroup> groups{};  // of those that match a parameter, the last one holds
  ScheduleOptions schedule;
};

}  // namespace lockstep
