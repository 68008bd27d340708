// Everything that a resume needs beside the experiment: weights, optimizer, where
// the loop is, what callbacks remember. World size and workers are recorded, never
// required. Plain values; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "lockstep/checkpoint/checkpoint_folder.h"
#include "lockstep/checkpoint/safetensors.h"
#include "lockstep/core/digest.h"
#include "lockstep/model/network.h"
#include "lockstep/train/optimizer.h"

namespace lockstep {

// Files of a checkpoint.
inline constexpr const char* kWeightsFile = "weights.safetensors";
inline constexpr const char* kStateFile = "state.json";

// Where the loop is, at a step boundary.
struct LoopState {
  int epoch = 0;                // the epoch under way, from 0
  std::int64_t epoch_step = 0;  // its steps done
  std::int64_t step = 0;        // all steps done
  std::int64_t updates = 0;     // of them not skipped
  int skipped_in_row = 0;
  double loss_sum = 0;  // of the samples of this epoch so far
  double loss_weight = 0;
  std::int64_t correct = 0;
  std::int64_t samples = 0;
  double rate_factor = 1;  // what callbacks made of the schedule's rate
  double min_rate = 0;
  double recovery_factor = 1;      // halved whenever the training goes back after diverging
  std::int64_t diverged_step = 0;  // where it did that last; 0: never
  int best_epoch = -1;             // from 0; -1 without one
  std::int64_t best_step = 0;      // whose checkpoint holds the best weights
  bool restore_best = false;
  bool stopped = false;  // a callback ended the training
  std::string reason = "all epochs done";

  bool operator==(const LoopState&) const = default;
};

struct RunState {
  LoopState loop;
  std::map<std::string, std::string> callbacks;  // state by name
  std::uint64_t seed = 0;
  std::string data_digest;
  std::string weights_digest;  // of all parameters, in hex
  std::string initial_digest;  // of those that the run began with, if they came from a file
  std::set<std::string> taken_statistics;  // of the replica
  int world_size = 1;
};

// The files of a checkpoint. `values` are flat weights, `metadata` of the weights
// on disk.
CheckpointFiles to_files(const RunState& state, const Network& network,
                         std::span<const float> values, const Optimizer& optimizer,
                         const Metadata& metadata);

// The reverse. Errors (2) name the file; sizes are checked against the network.
RunState read_run_state(const CheckpointFiles& files);
std::vector<float> read_weights(const CheckpointFiles& files, const Network& network);

// The weights that the training goes on with: in a file of their own where those above
// are their moving average.
inline constexpr const char* kTrainingWeights = "training.safetensors";
std::vector<float> read_training_weights(const CheckpointFiles& files, const Network& network);
void read_optimizer(const CheckpointFiles& files, const Network& network, Optimizer& optimizer);

// The network's parameters in flat `values` [network.total_size()], as they go to
// disk.
std::vector<TensorView> tensors_of(const Network& network, std::span<const float> values);

// The reverse: flat weights from a file. Throws Error (2) when names or shapes are
// not those of the network.
std::vector<float> weights_from(const Network& network, const SafetensorsFile& file);

}  // namespace lockstep
