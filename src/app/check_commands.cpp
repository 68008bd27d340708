// The commands that look at what a training left: inspect, verify.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/commands.h"
#include "app/resume.h"
#include "app/trained_model.h"
#include "lockstep/callbacks/make_callbacks.h"
#include "lockstep/checkpoint/checkpoint_folder.h"
#include "lockstep/checkpoint/safetensors.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/train/trainer.h"

namespace lockstep {

namespace {

void print_tensors(const SafetensorsFile& file) {
  for (const TensorView& tensor : file.tensors()) {
    fmt::print("  {:<28} [{}]\n", tensor.name, fmt::join(tensor.shape, ", "));
  }
}

void inspect_checkpoint(const fs::path& folder) {
  const CheckpointFiles files = read_checkpoint(folder);
  const RunState state = read_run_state(files);
  fmt::print("{}: whole\n", folder.string());
  for (const auto& [name, content] : files) fmt::print("  {:<28} {} bytes\n", name, content.size());
  fmt::print(
      "  step {}, {} epochs and {} steps done, seed {}, saved by {} rank{}\n"
      "  weights xxh3:{}\n  data xxh3:{}\n",
      state.loop.step, state.loop.epoch, state.loop.epoch_step, state.seed, state.world_size,
      state.world_size == 1 ? "" : "s", state.weights_digest, state.data_digest);
}

std::vector<fs::path> checkpoints_of(const fs::path& run_dir) {
  std::vector<fs::path> folders;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(run_dir / "checkpoints", none)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("step-") && !name.ends_with(".bad")) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

// All are looked at; the first that is not whole becomes the error.
void inspect_run(const fs::path& run_dir) {
  const std::vector<fs::path> folders = checkpoints_of(run_dir);
  if (folders.empty()) fail_usage("{}: no checkpoint there", run_dir.string());
  std::optional<Error> first;
  for (const fs::path& folder : folders) {
    try {
      inspect_checkpoint(folder);
    } catch (const Error& error) {
      fmt::print("{}: not whole\n", folder.string());
      if (!first) first = error;
    }
  }
  std::error_code none;
  const fs::path best = fs::read_symlink(best_link(run_dir), none);
  if (!best.empty()) fmt::print("best: {}\n", best.string());
  if (first) throw *first;
}

// Replays steps of a run and tells whether they end where the run did.
struct Replay {
  std::int64_t from;
  std::int64_t to;
  CheckpointFiles begin;
  CheckpointFiles end;
};

Replay find_replay(const CommandLine& line) {
  std::map<std::int64_t, fs::path> by_step;
  for (const fs::path& folder : checkpoints_of(line.checkpoint)) {
    by_step[read_run_state(read_checkpoint(folder)).loop.step] = folder;
  }
  if (by_step.size() < 2) {
    fail_usage(
        "{}: {} checkpoint{}; a replay needs one to begin at and one to end at (raise "
        "checkpoint.keep_last)",
        line.checkpoint, by_step.size(), by_step.size() == 1 ? "" : "s");
  }
  const std::int64_t from = line.from < 0 ? by_step.begin()->first : line.from;
  const std::int64_t to = line.to < 0 ? by_step.rbegin()->first : line.to;
  for (const std::int64_t step : {from, to}) {
    if (by_step.contains(step)) continue;
    std::vector<std::int64_t> steps;
    for (const auto& [each, folder] : by_step) steps.push_back(each);
    fail_usage("{}: no checkpoint at step {}; there are {}", line.checkpoint, step,
               fmt::join(steps, ", "));
  }
  if (from >= to) fail_usage("--from {} must be before --to {}", from, to);
  return {from, to, read_checkpoint(by_step[from]), read_checkpoint(by_step[to])};
}

void compare(const TrainResult& result, const Replay& replay, const Network& network,
             Precision precision) {
  const std::string digest = result.weights_digest.hex();
  const Weights end(read_weights(replay.end, network), precision);
  for (const std::string& each :
       {end.digest(network).hex(), read_run_state(replay.end).weights_digest}) {
    if (digest == each) continue;
    fail_internal("steps {} to {} do not replay: weights xxh3:{}, the run had xxh3:{}", replay.from,
                  replay.to, digest, each);
  }
}

}  // namespace

int run_inspect(Communicator& comm, const CommandLine& line) {
  agree(comm, [&] {
    if (comm.rank() != 0) return;
    const fs::path path = line.checkpoint;
    if (fs::is_regular_file(path)) {
      const SafetensorsFile file(path);
      fmt::print("{}: whole\n", path.string());
      print_tensors(file);
      for (const auto& [key, value] : file.metadata()) fmt::print("{}:\n{}\n", key, value);
    } else if (fs::exists(path / "manifest.json")) {
      inspect_checkpoint(path);
    } else {
      inspect_run(path);
    }
  });
  return 0;
}

int run_verify(Communicator& comm, const CommandLine& line) {
  Replay replay{};
  Experiment experiment;
  agree(comm, [&] {
    experiment = load_experiment((fs::path(line.checkpoint) / "experiment.textproto").string(), {});
    if (comm.rank() == 0) replay = find_replay(line);
  });
  const auto network =
      std::make_unique<Network>(experiment.model, experiment.data.shape, experiment.data.classes);
  const TrainingData data = load_training_data(comm, experiment);
  TrainSettings settings = train_settings(experiment, data.summary().normalization, /*run_dir=*/{});
  settings.resume_from = share_files(comm, replay.begin);
  settings.last_step = broadcast_value(comm, replay.to, 0);
  Workers workers(worker_count(comm, line.threads), prepare_worker_thread);
  std::FILE* nowhere = std::fopen("/dev/null", "w");
  auto callbacks = make_callbacks(experiment.callbacks, experiment.train.log_every_steps,
                                  ProgressOutput{.stream = nowhere});
  const TrainResult result = train(comm, *network, data, workers, settings, callbacks);
  callbacks.clear();
  std::fclose(nowhere);
  agree(comm, [&] {
    if (comm.rank() != 0) return;
    compare(result, replay, *network, experiment.parallel.precision);
    fmt::print("steps {} to {} replayed on {} rank{}: equal, weights xxh3:{}\n", replay.from,
               replay.to, comm.world_size(), comm.world_size() == 1 ? "" : "s",
               result.weights_digest.hex());
  });
  return 0;
}

}  // namespace lockstep
