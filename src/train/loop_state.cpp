// The part of the loop that has to do with the run state: saving and resuming.

#include <spdlog/spdlog.h>

#include <algorithm>

#include "lockstep/checkpoint/checkpoint_store.h"
#include "lockstep/core/error.h"
#include "lockstep/core/text.h"
#include "train/loop.h"

namespace lockstep {

namespace {

constexpr const char* kBestWeights = "best.safetensors";  // where they are not the current ones

}  // namespace

// The run state at the step boundary. Collective: what rank 0 alone knows is told to the others
// where they keep checkpoints too.
CheckpointFiles Loop::snapshot(AsBest best) {
  RunState state;
  state.loop = at_;
  if (root()) {
    for (const auto& callback : callbacks_)
      state.callbacks[callback->name()] = callback->save_state();
  }
  if (settings_.checkpoint.in_memory_every_steps > 0) {
    state.callbacks = share_texts(comm_, state.callbacks);
  }
  state.seed = settings_.seed;
  state.data_digest = data_.summary().digest.hex();
  const Replica& replica = stepper_.replica();
  state.weights_digest = replica.weights.digest(network_).hex();
  state.initial_digest = initial_digest_;
  state.taken_statistics = replica.taken_statistics;
  state.world_size = comm_.world_size();
  CheckpointFiles files =
      to_files(state, network_, replica.result().values(), replica.optimizer, settings_.metadata);
  if (settings_.train.ema_decay > 0) {
    files[kTrainingWeights] =
        to_safetensors(tensors_of(network_, replica.weights.values()), settings_.metadata);
  }
  if (!best_.empty() && best == AsBest::kNo) {
    files[kBestWeights] = to_safetensors(tensors_of(network_, best_), settings_.metadata);
  }
  return files;
}

// The snapshot is taken here; the writing goes on behind.
void Loop::save(AsBest best) {
  saved_ = Clock::now();
  stepper_.lower(Flag::kSave);
  CheckpointFiles files = snapshot(best);
  comm_.begin_long_work("writing a checkpoint", 0);
  if (writer_ != nullptr) writer_->submit(at_.step, files, best);
  if (at_.skipped_in_row > 0) return;  // weights that give such gradients are no way back
  last_ = std::move(files);
  last_step_ = at_.step;
}

void Loop::save_in_memory() {
  CheckpointFiles files = snapshot(AsBest::kNo);
  if (memory_writer_ != nullptr) memory_writer_->submit(at_.step, std::move(files), AsBest::kNo);
}

void Loop::resume() {
  agree(comm_, [&] {
    try {
      load(settings_.resume_from);
    } catch (const Error& error) {
      throw error.within("the checkpoint cannot be resumed");
    }
  });
  last_ = settings_.resume_from;
  last_step_ = at_.step;
  // Later checkpoints were given up with the choice of this one; a restart must not find them.
  if (writer_ != nullptr) CheckpointStore(settings_.run_dir).remove_after(at_.step);
  forget_in_memory();
}

// Those later than this step: the run makes them again.
void Loop::forget_in_memory() {
  if (memory_writer_ == nullptr) return;
  memory_writer_->finish();
  CheckpointStore(settings_.memory_folder).remove_after(at_.step);
}

// Which gradient of the last step is not finite, in words; the same on every rank.
// Collective.
std::string Loop::where_not_finite() {
  const std::vector<NonFinite> by_rank = gather_values(comm_, stepper_.find_non_finite());
  const auto first =
      std::min_element(by_rank.begin(), by_rank.end(),
                       [](const NonFinite& a, const NonFinite& b) { return a.lane < b.lane; });
  const std::string& name = network_.parameters()[static_cast<std::size_t>(first->parameter)].name;
  if (first->lane == kSumOfLanes) return fmt::format("\"{}\" in the sum over lanes", name);
  return fmt::format("\"{}\" in lane {} on rank {}", name, first->lane, first - by_rank.begin());
}

// As a resume does it, but each rank from its own copy of the checkpoint, and with half
// the learning rate. Saved at once, so that the rate outlives the process.
void Loop::go_back() {
  const std::int64_t step = at_.step + 1;
  const std::string cause =
      fmt::format("{} steps in a row had gradients that are not finite (first {})",
                  at_.skipped_in_row, where_not_finite());
  if (last_.empty() || last_step_ <= at_.diverged_step) {
    throw Error(ExitCode::kDiverged,
                fmt::format("training diverged at step {}: {}, and {}; a lower learning rate ({:g} "
                            "at this step) or training.clip_norm may help",
                            step, cause,
                            last_.empty() ? "there is no checkpoint to go back to"
                                          : "going back to the last checkpoint did not help",
                            learning_rate(at_.step)),
                Reach::kAgreed);
  }
  if (root()) {
    spdlog::warn("step {}: {}; back to step {} with the learning rate halved", step, cause,
                 last_step_);
  }
  comm_.begin_long_work("going back to a checkpoint", 0);
  load(last_);
  at_.skipped_in_row = 0;
  at_.diverged_step = step;
  at_.recovery_factor /= 2;
  forget_in_memory();
  announce();
  if (writer_ != nullptr && at_.best_epoch >= 0) {
    writer_->finish();
    CheckpointStore(settings_.run_dir).set_best(at_.best_step);
  }
  save(at_.best_epoch >= 0 && at_.best_step == at_.step ? AsBest::kYes : AsBest::kNo);
}

// The steps of a run are counted in one way.
static void check_place(const LoopState& loop, std::int64_t steps_per_epoch) {
  if (loop.epoch_step > steps_per_epoch ||
      loop.step != loop.epoch * steps_per_epoch + loop.epoch_step) {
    fail_usage("its step {} is not {} of {} and {} more", loop.step, count_of(loop.epoch, "epoch"),
               count_of(steps_per_epoch, "step"), loop.epoch_step);
  }
  if (loop.best_epoch >= 0 && loop.best_step != (loop.best_epoch + 1) * steps_per_epoch) {
    fail_usage("its best step {} is not the end of epoch {}", loop.best_step, loop.best_epoch + 1);
  }
}

void Loop::load(const CheckpointFiles& files) {
  const RunState state = read_run_state(files);
  if (state.seed != settings_.seed) {
    fail_usage("its seed is {}, the experiment's is {}", state.seed, settings_.seed);
  }
  const std::string data_digest = data_.summary().digest.hex();
  if (state.data_digest != data_digest) {
    fail_usage("it was made from other training data (digest {}, here {})", state.data_digest,
               data_digest);
  }
  check_place(state.loop, span_.steps_per_epoch);
  at_ = state.loop;
  initial_digest_ = state.initial_digest;
  std::vector<float> weights = read_weights(files, network_);
  Replica replica = stepper_.replica();
  if (settings_.train.ema_decay > 0) {
    replica.average = weights;
    if (!files.contains(kTrainingWeights)) fail_usage("the checkpoint has no {}", kTrainingWeights);
    weights = read_training_weights(files, network_);
  }
  replica.weights = Weights(std::move(weights), settings_.parallel.precision);
  const std::string weights_digest = replica.weights.digest(network_).hex();
  if (weights_digest != state.weights_digest) {
    fail_usage("its weights have the digest {}, its state says {}", weights_digest,
               state.weights_digest);
  }
  read_optimizer(files, network_, replica.optimizer);
  replica.updates = at_.updates;
  replica.taken_statistics = state.taken_statistics;
  stepper_.set_replica(std::move(replica));
  const auto best = files.find(kBestWeights);
  if (best != files.end()) {
    best_ = weights_from(network_, SafetensorsFile(best->second, kBestWeights));
  } else if (at_.best_epoch < 0) {
    best_.clear();
  } else {
    best_ = read_weights(files, network_);
  }
  if (!root()) return;
  for (const auto& callback : callbacks_) {
    const auto found = state.callbacks.find(callback->name());
    if (found != state.callbacks.end()) callback->load_state(found->second);
  }
}

Weights Loop::result_weights() const {
  if (!at_.restore_best || best_.empty()) return stepper_.replica().result();
  return {best_, settings_.parallel.precision};
}

}  // namespace lockstep
