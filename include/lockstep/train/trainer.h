// The training loop: epochs of steps, an evaluation after each, callbacks on
// rank 0, the best weights kept. One a rank, all in step.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "lockstep/checkpoint/options.h"
#include "lockstep/checkpoint/safetensors.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/core/workers.h"
#include "lockstep/data/training_data.h"
#include "lockstep/eval/evaluation.h"
#include "lockstep/model/network.h"
#include "lockstep/model/weights.h"
#include "lockstep/parallel/options.h"
#include "lockstep/train/callback.h"
#include "lockstep/train/options.h"

namespace lockstep {

struct TrainSettings {
  ParallelOptions parallel;
  TrainOptions train;
  CheckpointOptions checkpoint;
  std::uint64_t seed = 1;
  std::vector<std::string> class_names;
  std::filesystem::path run_dir;  // empty: nothing is written
  Metadata metadata;              // of the weights on disk
};

struct TrainResult {
  std::vector<float> weights;  // final flat weights [network.total_size()]
  Digest weights_digest;
  Evaluation validation;  // of those weights
  std::string reason;     // why the training ended
  std::int64_t steps = 0;
  int best_epoch = -1;  // from 0; -1 without one
};

// Collective. `callbacks` are used on rank 0 alone. Errors: 3 (agreed) when the
// training diverged, 4 (agreed) when replicas differ.
TrainResult train(Communicator& comm, const Network& network, const TrainingData& data,
                  Workers& workers, const TrainSettings& settings,
                  std::vector<std::unique_ptr<Callback>>& callbacks);

// The network's parameters in flat `values` [network.total_size()], as they go to
// disk.
std::vector<TensorView> tensors_of(const Network& network, std::span<const float> values);

// The reverse: flat weights from a file. Throws Error (2) when names or shapes are
// not those of the network.
std::vector<float> weights_from(const Network& network, const SafetensorsFile& file);

// checkpoints/step-00000123 in a run folder, and the link to the best of them.
std::filesystem::path checkpoint_folder(const std::filesystem::path& run_dir, std::int64_t step);
std::filesystem::path best_link(const std::filesystem::path& run_dir);

}  // namespace lockstep
