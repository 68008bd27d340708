// lockstep verify: replays a run from checkpoint to checkpoint, and compares its weights
// wherever the run has left their digest.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/commands.h"
#include "lockstep/callbacks/make_callbacks.h"
#include "lockstep/checkpoint/checkpoint_store.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/text.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/run/metrics_line.h"
#include "lockstep/run/resume.h"
#include "lockstep/run/run_files.h"
#include "lockstep/train/trainer.h"

namespace lockstep {

namespace {

using DigestsByStep = std::map<std::int64_t, std::string>;  // in hex

// The digests in the epoch lines of metrics.jsonl.
DigestsByStep recorded_digests(const fs::path& run_dir) {
  DigestsByStep digests;
  for (const MetricsPoint& point : read_metrics(run_dir)) {
    if (!point.weights_digest.empty()) digests[point.step] = point.weights_digest;
  }
  return digests;
}

// The steps of the checkpoints to go through, from first to last.
std::vector<std::int64_t> find_steps(const CommandLine& line) {
  const std::vector<std::int64_t> all = CheckpointStore(line.checkpoint).steps();
  if (all.size() < 2) {
    fail_usage(
        "{}: {}; a replay needs one to begin at and one to end at (raise "
        "checkpoint.keep_last)",
        line.checkpoint, count_of(all.size(), "checkpoint"));
  }
  const std::int64_t from = line.from < 0 ? all.front() : line.from;
  const std::int64_t to = line.to < 0 ? all.back() : line.to;
  for (const std::int64_t step : {from, to}) {
    if (std::find(all.begin(), all.end(), step) != all.end()) continue;
    fail_usage("{}: no checkpoint at step {}; there are {}", line.checkpoint, step,
               fmt::join(all, ", "));
  }
  if (from >= to) fail_usage("--from {} must be before --to {}", from, to);
  std::vector<std::int64_t> steps;
  std::copy_if(all.begin(), all.end(), std::back_inserter(steps),
               [&](std::int64_t step) { return from <= step && step <= to; });
  return steps;
}

// Compares digests as the replay comes by, and keeps the first difference.
class Comparison {
 public:
  explicit Comparison(const CommandLine& line)
      : steps_(find_steps(line)),
        recorded_(recorded_digests(line.checkpoint)),
        step_(steps_.front()) {}

  const std::vector<std::int64_t>& steps() const { return steps_; }
  std::int64_t compared() const { return compared_; }

  // `origin` is where `expected` stands.
  void compare(std::int64_t step, const std::string& digest, const std::string& expected,
               const char* origin) {
    if (!difference_.empty()) return;
    if (step != step_) equal_up_to_ = std::exchange(step_, step);
    ++compared_;
    if (digest == expected) return;
    difference_ = fmt::format(
        "steps {} to {} do not replay: equal up to step {}, but at step {} the weights are "
        "xxh3:{}, {} xxh3:{}",
        steps_.front(), steps_.back(), equal_up_to_, step, digest, origin, expected);
  }

  void compare_recorded(std::int64_t step, const std::string& digest) {
    const auto found = recorded_.find(step);
    if (found != recorded_.end()) compare(step, digest, found->second, "in metrics.jsonl");
  }

  void check() const {
    if (!difference_.empty()) fail_internal("{}", difference_);
  }

 private:
  std::vector<std::int64_t> steps_;
  DigestsByStep recorded_;
  std::int64_t step_;             // of the last comparison
  std::int64_t equal_up_to_ = 0;  // of the ones before
  std::int64_t compared_ = 0;
  std::string difference_;
};

// The ends of epochs between two checkpoints.
class EpochComparison : public Callback {
 public:
  explicit EpochComparison(Comparison& comparison) : comparison_(comparison) {}

  Directive on_epoch_end(const EpochEvent& event) override {
    comparison_.compare_recorded(event.step, event.weights_digest.hex());
    return {};
  }
  std::string name() const override { return "epoch_comparison"; }

 private:
  Comparison& comparison_;
};

void compare_end(Comparison& comparison, const TrainResult& result, const CheckpointFiles& end,
                 const Network& network, Precision precision) {
  const std::string digest = result.weights_digest.hex();
  comparison.compare_recorded(result.steps, digest);
  const Weights weights(read_training_weights(end, network), precision);
  comparison.compare(result.steps, digest, weights.digest(network).hex(), "the checkpoint's");
  comparison.compare(result.steps, digest, read_run_state(end).weights_digest,
                     "in the checkpoint's state.json");
}

}  // namespace

int run_verify(Communicator& comm, const CommandLine& line) {
  const fs::path run_dir = line.checkpoint;
  std::optional<Comparison> comparison;  // on rank 0
  Experiment experiment;
  agree(comm, [&] {
    experiment = load_kept_experiment((run_dir / kExperimentFile).string());
    if (comm.rank() == 0) comparison.emplace(line);
  });
  const ChosenDevice device = choose_device(comm, experiment.device);
  const bool lacks_bf16 = device.gpu == nullptr && !has_bf16_instructions();
  agree(comm, [&] {
    if (experiment.parallel.precision != Precision::kBf16 || !lacks_bf16) return;
    fail_usage(
        "{}: trained in BF16, and this processor has no bf16 instructions: the same "
        "weights need the same kind of processor",
        run_dir.string());
  });
  const Network network = make_network(experiment);
  const TrainingData data = load_training_data(comm, experiment);
  TrainSettings settings = train_settings(experiment, /*run_dir=*/{});
  Workers workers(worker_count(comm, line.threads), prepare_worker_thread);
  const bool root = comm.rank() == 0;
  const auto nowhere =
      std::unique_ptr<std::FILE, int (*)(std::FILE*)>(std::fopen("/dev/null", "w"), std::fclose);
  const std::size_t count = broadcast_value(comm, root ? comparison->steps().size() : 0, 0);
  TrainResult result;
  for (std::size_t i = 1; i < count; ++i) {
    CheckpointFiles begin;
    CheckpointFiles end;
    agree(comm, [&] {
      if (!root) return;
      begin = read_checkpoint(checkpoint_folder(run_dir, comparison->steps()[i - 1]));
      end = read_checkpoint(checkpoint_folder(run_dir, comparison->steps()[i]));
    });
    settings.resume_from = share_texts(comm, begin);
    settings.last_step = broadcast_value(comm, root ? comparison->steps()[i] : 0, 0);
    auto callbacks = make_callbacks(experiment.callbacks, experiment.train.log_every_steps,
                                    ProgressOutput{.stream = nowhere.get()});
    if (root) callbacks.push_back(std::make_unique<EpochComparison>(*comparison));
    const auto stepper = device.make_stepper(comm, network, data, workers, experiment);
    const auto evaluator =
        device.make_evaluator(network, workers, data.summary().normalization, experiment);
    result = train(comm, network, data, {*stepper, *evaluator}, settings, callbacks);
    agree(comm, [&] {
      if (!root) return;
      compare_end(*comparison, result, end, network, experiment.parallel.precision);
      comparison->check();
    });
  }
  if (root) {
    fmt::print("steps {} to {} replayed on {}: equal in {}, weights xxh3:{}\n",
               comparison->steps().front(), comparison->steps().back(),
               count_of(comm.world_size(), "rank"), count_of(comparison->compared(), "place"),
               result.weights_digest.hex());
  }
  return 0;
}

}  // namespace lockstep
