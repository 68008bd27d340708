#include "lockstep/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/eval/evaluator.h"
#include "lockstep/train/schedule.h"
#include "lockstep/train/stepper.h"

namespace lockstep {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMaxSkippedInRow = 3;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// What the samples of an epoch have given so far.
struct Progress {
  double loss_sum = 0;
  std::int64_t correct = 0;
  std::int64_t samples = 0;
  Clock::time_point begin = Clock::now();

  double loss() const { return samples == 0 ? 0 : loss_sum / static_cast<double>(samples); }
  double accuracy() const {
    return samples == 0 ? 0 : static_cast<double>(correct) / static_cast<double>(samples);
  }
  double images_per_second() const { return static_cast<double>(samples) / seconds_since(begin); }
};

class Loop {
 public:
  Loop(Communicator& comm, const Network& network, const TrainingData& data, Workers& workers,
       const TrainSettings& settings, std::vector<std::unique_ptr<Callback>>& callbacks)
      : comm_(comm),
        network_(network),
        data_(data),
        workers_(workers),
        settings_(settings),
        callbacks_(callbacks),
        stepper_(comm, network, data, workers, settings.parallel, settings.train, settings.seed),
        evaluator_(network, workers, settings.parallel.precision, data.summary().normalization),
        span_{data.steps_per_epoch(settings.parallel.global_batch) * settings.train.epochs,
              data.steps_per_epoch(settings.parallel.global_batch)} {}

  TrainResult run();

 private:
  void announce();
  void run_epoch(int epoch);
  void run_step(int epoch, std::int64_t epoch_step);
  void end_epoch(int epoch);
  Directive ask_callbacks(const EpochEvent& event);
  void keep_as_best(int epoch);
  void save_best();
  void log_step(int epoch, std::int64_t epoch_step);
  float learning_rate(std::int64_t step) const;
  void check_finite(const StepSum& sum);
  TrainResult finish();

  bool root() const { return comm_.rank() == 0; }

  Communicator& comm_;
  const Network& network_;
  const TrainingData& data_;
  Workers& workers_;
  const TrainSettings& settings_;
  std::vector<std::unique_ptr<Callback>>& callbacks_;
  Stepper stepper_;
  Evaluator evaluator_;
  ScheduleSpan span_;
  Clock::time_point begin_ = Clock::now();

  std::int64_t step_ = 0;  // done in the run
  int skipped_in_row_ = 0;
  double rate_factor_ = 1;  // what callbacks made of the schedule's rate
  double min_rate_ = 0;
  Progress progress_;
  std::vector<float> best_;
  int best_epoch_ = -1;
  int epochs_done_ = 0;
  bool stop_ = false;
  bool restore_best_ = false;
  std::string reason_ = "all epochs done";
};

void Loop::announce() {
  if (!root()) return;
  RunEvent event;
  event.run_dir = settings_.run_dir.string();
  event.data = data_.summary();
  event.epochs = settings_.train.epochs;
  event.steps_per_epoch = span_.steps_per_epoch;
  event.global_batch = settings_.parallel.global_batch;
  event.world_size = comm_.world_size();
  event.workers = workers_.count();
  for (const auto& callback : callbacks_) callback->on_run_begin(event);
}

float Loop::learning_rate(std::int64_t step) const {
  const double scheduled = static_cast<double>(stepper_.optimizer().base_learning_rate()) *
                           schedule_factor(settings_.train.schedule, span_, step);
  const double floor = std::min(scheduled, min_rate_);
  return static_cast<float>(std::max(scheduled * rate_factor_, floor));
}

void Loop::check_finite(const StepSum& sum) {
  if (std::isfinite(sum.square_norm)) {
    skipped_in_row_ = 0;
    return;
  }
  if (++skipped_in_row_ < kMaxSkippedInRow) return;
  throw Error(ExitCode::kDiverged,
              fmt::format("training diverged at step {}: {} steps in a row had gradients that are "
                          "not finite; a lower learning rate ({:g} at this step) or "
                          "training.clip_norm may help",
                          step_ + 1, kMaxSkippedInRow, learning_rate(step_)),
              Reach::kAgreed);
}

void Loop::run_step(int epoch, std::int64_t epoch_step) {
  const StepSum sum = stepper_.step(epoch, epoch_step, learning_rate(step_));
  check_finite(sum);
  progress_.loss_sum += sum.loss_sum;
  progress_.correct += sum.correct;
  progress_.samples += sum.samples;
}

void Loop::log_step(int epoch, std::int64_t epoch_step) {
  if (!root()) return;
  StepEvent event;
  event.epoch = epoch;
  event.step = step_ + 1;
  event.epoch_step = epoch_step + 1;
  event.train_loss = progress_.loss();
  event.train_accuracy = progress_.accuracy();
  event.learning_rate = learning_rate(step_);
  event.images_per_second = progress_.images_per_second();
  event.seconds = seconds_since(begin_);
  for (const auto& callback : callbacks_) callback->on_step(event);
}

void Loop::run_epoch(int epoch) {
  progress_ = Progress{};
  const int digest_every = settings_.parallel.digest_every_steps;
  for (std::int64_t s = 0; s < span_.steps_per_epoch; ++s) {
    run_step(epoch, s);
    log_step(epoch, s);
    ++step_;
    if (digest_every > 0 && step_ % digest_every == 0)
      check_replicas(comm_, network_, stepper_.weights());
  }
}

void Loop::end_epoch(int epoch) {
  EpochEvent event;
  event.epoch = epoch;
  event.step = step_;
  event.train_loss = progress_.loss();
  event.train_accuracy = progress_.accuracy();
  event.images_per_second = progress_.images_per_second();
  event.learning_rate = learning_rate(step_ - 1);
  check_replicas(comm_, network_, stepper_.weights());
  const Evaluation validation =
      evaluator_.evaluate(comm_, stepper_.weights(), data_.validation(), settings_.class_names);
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  event.val_loss = validation.rows() > 0 ? validation.loss() : kNone;
  event.val_accuracy = validation.rows() > 0 ? validation.accuracy() : kNone;
  event.seconds = seconds_since(progress_.begin);
  event.weights_digest = stepper_.weights().digest(network_);
  epochs_done_ = epoch + 1;

  const Directive directive = ask_callbacks(event);
  rate_factor_ *= directive.learning_rate_factor;
  min_rate_ = std::max(min_rate_, directive.min_learning_rate);
  if (directive.keep_as_best) keep_as_best(epoch);
  if (directive.stop) reason_ = directive.reason;
  stop_ = directive.stop;
  restore_best_ = restore_best_ || directive.restore_best;
}

// Asks on rank 0, joins the answers and gives the same to every rank.
Directive Loop::ask_callbacks(const EpochEvent& event) {
  Directive joined;
  if (root()) {
    for (const auto& callback : callbacks_) {
      const Directive each = callback->on_epoch_end(event);
      joined.learning_rate_factor *= each.learning_rate_factor;
      joined.min_learning_rate = std::max(joined.min_learning_rate, each.min_learning_rate);
      joined.keep_as_best = joined.keep_as_best || each.keep_as_best;
      joined.restore_best = joined.restore_best || each.restore_best;
      if (each.stop && !joined.stop) joined.reason = each.reason;
      joined.stop = joined.stop || each.stop;
    }
  }
  struct Wire {
    double factor, min_rate;
    bool best, stop, restore;
  };
  const Wire wire = broadcast_value(comm_,
                                    Wire{joined.learning_rate_factor, joined.min_learning_rate,
                                         joined.keep_as_best, joined.stop, joined.restore_best},
                                    0);
  Directive agreed;
  agreed.learning_rate_factor = wire.factor;
  agreed.min_learning_rate = wire.min_rate;
  agreed.keep_as_best = wire.best;
  agreed.stop = wire.stop;
  agreed.restore_best = wire.restore;
  if (agreed.stop) agreed.reason = broadcast_text(comm_, joined.reason, 0);
  return agreed;
}

void Loop::keep_as_best(int epoch) {
  best_.assign(stepper_.weights().values().begin(), stepper_.weights().values().end());
  best_epoch_ = epoch;
  agree(comm_, [&] {
    if (root() && !settings_.run_dir.empty()) save_best();
  });
}

// A new folder first, then the link; the folder that the link left goes last.
void Loop::save_best() {
  const fs::path folder = checkpoint_folder(settings_.run_dir, step_);
  fs::create_directories(folder);
  write_file_atomically(folder / "weights.safetensors",
                        to_safetensors(tensors_of(network_, best_), settings_.metadata));
  const fs::path link = best_link(settings_.run_dir);
  std::error_code none;
  const fs::path before = fs::read_symlink(link, none);
  fs::path fresh = link;
  fresh += ".tmp";
  fs::remove(fresh);
  fs::create_symlink(folder.filename(), fresh);
  fs::rename(fresh, link);
  sync_folder(link.parent_path());
  if (!before.empty() && before != folder.filename()) {
    fs::remove_all(link.parent_path() / before);
  }
}

TrainResult Loop::run() {
  announce();
  for (int epoch = 0; epoch < settings_.train.epochs && !stop_; ++epoch) {
    run_epoch(epoch);
    end_epoch(epoch);
  }
  return finish();
}

TrainResult Loop::finish() {
  if (restore_best_ && !best_.empty())
    stepper_.weights() = Weights(best_, settings_.parallel.precision);
  TrainResult result;
  result.weights.assign(stepper_.weights().values().begin(), stepper_.weights().values().end());
  result.weights_digest = stepper_.weights().digest(network_);
  result.validation =
      evaluator_.evaluate(comm_, stepper_.weights(), data_.validation(), settings_.class_names);
  result.reason = reason_;
  result.steps = step_;
  result.best_epoch = best_epoch_;
  if (root()) {
    EndEvent event;
    event.epochs = epochs_done_;
    event.step = step_;
    event.seconds = seconds_since(begin_);
    event.reason = reason_;
    event.weights_digest = result.weights_digest;
    for (const auto& callback : callbacks_) callback->on_run_end(event);
  }
  return result;
}

}  // namespace

TrainResult train(Communicator& comm, const Network& network, const TrainingData& data,
                  Workers& workers, const TrainSettings& settings,
                  std::vector<std::unique_ptr<Callback>>& callbacks) {
  return Loop(comm, network, data, workers, settings, callbacks).run();
}

}  // namespace lockstep
