// The part of the loop that has to do with the run state: saving and resuming.

#include "lockstep/core/error.h"
#include "train/loop.h"

namespace lockstep {

namespace {

constexpr const char* kBestWeights = "best.safetensors";  // where they are not the current ones

}  // namespace

// The snapshot is taken here, at the step boundary; the writing goes on behind.
void Loop::save(AsBest best) {
  saved_ = Clock::now();
  stepper_.runner().lower(Flag::kSave);
  if (writer_ == nullptr) return;
  RunState state;
  state.loop = at_;
  for (const auto& callback : callbacks_)
    state.callbacks[callback->name()] = callback->save_state();
  state.seed = settings_.seed;
  state.data_digest = data_.summary().digest.hex();
  state.weights_digest = stepper_.weights().digest(network_).hex();
  state.world_size = comm_.world_size();
  CheckpointFiles files = to_files(state, network_, stepper_.weights().values(),
                                   stepper_.optimizer(), settings_.metadata);
  if (!best_.empty() && best == AsBest::kNo) {
    files[kBestWeights] = to_safetensors(tensors_of(network_, best_), settings_.metadata);
  }
  writer_->submit(at_.step, std::move(files), best);
}

void Loop::resume() {
  agree(comm_, [&] {
    try {
      load(settings_.resume_from);
    } catch (const Error& error) {
      throw error.within("the checkpoint cannot be resumed");
    }
  });
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
  at_ = state.loop;
  stepper_.weights() = Weights(read_weights(files, network_), settings_.parallel.precision);
  const std::string weights_digest = stepper_.weights().digest(network_).hex();
  if (weights_digest != state.weights_digest) {
    fail_usage("its weights have the digest {}, its state says {}", weights_digest,
               state.weights_digest);
  }
  read_optimizer(files, network_, stepper_.optimizer());
  stepper_.set_updates(at_.updates);
  const auto best = files.find(kBestWeights);
  if (best != files.end()) {
    best_ = weights_from(network_, SafetensorsFile(best->second, kBestWeights));
  } else if (at_.best_epoch >= 0) {
    best_.assign(stepper_.weights().values().begin(), stepper_.weights().values().end());
  }
  if (!root()) return;
  for (const auto& callback : callbacks_) {
    const auto found = state.callbacks.find(callback->name());
    if (found != state.callbacks.end()) callback->load_state(found->second);
  }
}

void Loop::restore_best() {
  if (!at_.restore_best || best_.empty()) return;
  stepper_.weights() = Weights(best_, settings_.parallel.precision);
}

}  // namespace lockstep
