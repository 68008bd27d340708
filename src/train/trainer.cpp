#include "lockstep/train/trainer.h"

#include <algorithm>
#include <cmath>

#include "lockstep/checkpoint/memory_folder.h"
#include "lockstep/core/error.h"
#include "lockstep/core/fault_point.h"
#include "lockstep/train/cpu_stepper.h"
#include "train/loop.h"

namespace lockstep {

namespace {

constexpr int kMostSkippedInRow = 3;

RunOutcome outcome_of(const std::exception& exception) {
  const auto* error = dynamic_cast<const Error*>(&exception);
  const bool diverged = error != nullptr && error->code() == ExitCode::kDiverged;
  return diverged ? RunOutcome::kDiverged : RunOutcome::kFailed;
}

}  // namespace

Loop::Loop(Communicator& comm, const Network& network, const TrainingData& data,
           const Engine& engine, const TrainSettings& settings,
           std::vector<std::unique_ptr<Callback>>& callbacks)
    : comm_(comm),
      network_(network),
      data_(data),
      settings_(settings),
      callbacks_(callbacks),
      stepper_(engine.stepper),
      evaluator_(engine.evaluator),
      span_{data.steps_per_epoch(settings.parallel.global_batch) * settings.train.epochs,
            data.steps_per_epoch(settings.parallel.global_batch)},
      initial_digest_(settings.initial_digest) {
  if (root() && !settings.run_dir.empty()) {
    writer_ = std::make_unique<CheckpointWriter>(settings.run_dir, settings.checkpoint.keep_last);
  }
  if (!settings.memory_folder.empty()) {
    memory_writer_ = std::make_unique<CheckpointWriter>(settings.memory_folder, /*keep_last=*/1,
                                                        Medium::kMemory);
  }
}

TrainResult Loop::run() {
  if (!settings_.resume_from.empty()) resume();
  announce();
  try {
    while (at_.epoch < settings_.train.epochs && !at_.stopped && !interrupted_) {
      run_epoch();
      if (!interrupted_) end_epoch();
    }
    return finish();
  } catch (const std::exception& exception) {
    // The writer finishes what it has begun; the others may be at the end already.
    comm_.begin_long_work("writing the last checkpoint", 0);
    if (writer_ != nullptr) writer_->finish();
    end(outcome_of(exception), Error::from(exception).what(), {});
    throw;
  }
}

void Loop::announce() {
  epoch_begin_ = Clock::now();
  samples_before_ = at_.samples;
  if (!root()) return;
  RunEvent event;
  event.run_dir = settings_.run_dir.string();
  event.data = data_.summary();
  event.epochs = settings_.train.epochs;
  event.first_epoch = at_.epoch;
  event.first_step = at_.step;
  event.steps_per_epoch = span_.steps_per_epoch;
  event.global_batch = settings_.parallel.global_batch;
  event.world_size = comm_.world_size();
  event.workers = stepper_.workers();
  event.top_k = evaluator_.top_k();
  for (const auto& callback : callbacks_) callback->on_run_begin(event);
}

void Loop::run_epoch() {
  while (at_.epoch_step < span_.steps_per_epoch && !interrupted_) run_step();
}

void Loop::run_step() {
  fault_point("step", at_.step);
  if (settings_.stop_requested()) stepper_.raise(Flag::kStop);
  const StepSum sum = stepper_.step(at_.epoch, at_.epoch_step, learning_rate(at_.step));
  ++steps_run_;
  take_in(sum);
  if (at_.skipped_in_row == kMostSkippedInRow) {
    go_back();
    interrupted_ = sum.is_raised(Flag::kStop);
    return;
  }
  log_step();
  ++at_.step;
  ++at_.epoch_step;
  obey(sum);
}

// A step that was skipped counts for nothing.
void Loop::take_in(const StepSum& sum) {
  if (!std::isfinite(sum.square_norm)) {
    ++at_.skipped_in_row;
    return;
  }
  at_.skipped_in_row = 0;
  at_.loss_sum += sum.loss_sum;
  at_.loss_weight += sum.loss_weight;
  at_.correct += sum.correct;
  at_.samples += sum.samples;
  at_.updates = stepper_.updates();
}

// What all ranks do after the same step: compare replicas, save, end. Not between steps
// that are skipped: a resume from there would not know the checkpoint to go back to.
void Loop::obey(const StepSum& sum) {
  const int digest_every = settings_.parallel.digest_every_steps;
  const int save_every = settings_.checkpoint.every_steps;
  const bool stop = sum.is_raised(Flag::kStop) && at_.skipped_in_row == 0;
  const bool due = sum.is_raised(Flag::kSave) || (save_every > 0 && at_.step % save_every == 0);
  const bool save_now = stop || (due && at_.skipped_in_row == 0);
  const bool compare = save_now || (digest_every > 0 && at_.step % digest_every == 0);
  if (compare) check_replicas(comm_, network_, stepper_.replica().weights);
  if (save_now) save(AsBest::kNo);
  const int in_memory_every = settings_.checkpoint.in_memory_every_steps;
  if (!save_now && in_memory_every > 0 && at_.step % in_memory_every == 0 &&
      at_.skipped_in_row == 0) {
    save_in_memory();
  }
  if (save_is_due()) stepper_.raise(Flag::kSave);
  interrupted_ = stop || at_.step == settings_.last_step;
}

bool Loop::save_is_due() const {
  const double every = settings_.checkpoint.every_seconds;
  return root() && every > 0 &&
         std::chrono::duration<double>(Clock::now() - saved_).count() >= every;
}

float Loop::learning_rate(std::int64_t step) const {
  const double scheduled = static_cast<double>(base_learning_rate(settings_.train.optimizer)) *
                           schedule_factor(settings_.train.schedule, span_, step);
  const double floor = std::min(scheduled, at_.min_rate);
  return static_cast<float>(std::max(scheduled * at_.rate_factor, floor) * at_.recovery_factor);
}

double Loop::mean_loss() const {
  return at_.loss_sum / at_.loss_weight;  // NaN before the first
}

double Loop::accuracy() const {
  return static_cast<double>(at_.correct) / static_cast<double>(at_.samples);
}

double Loop::images_per_second() const {
  const double seconds = std::chrono::duration<double>(Clock::now() - epoch_begin_).count();
  return static_cast<double>(at_.samples - samples_before_) / seconds;
}

void Loop::log_step() {
  if (!root()) return;
  StepEvent event;
  event.epoch = at_.epoch;
  event.step = at_.step + 1;
  event.epoch_step = at_.epoch_step + 1;
  event.train_loss = mean_loss();
  event.train_accuracy = accuracy();
  event.learning_rate = learning_rate(at_.step);
  event.images_per_second = images_per_second();
  event.seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
  for (const auto& callback : callbacks_) callback->on_step(event);
}

// Of the steps since the last call.
StepTimes Loop::take_times() {
  const StepTimes times = stepper_.take_times();
  times_ += times;
  return times;
}

void Loop::end_epoch() {
  EpochEvent event;
  event.epoch = at_.epoch;
  event.step = at_.step;
  event.train_loss = mean_loss();
  event.train_accuracy = accuracy();
  event.images_per_second = images_per_second();
  event.learning_rate = learning_rate(at_.step - 1);
  check_replicas(comm_, network_, stepper_.replica().weights);
  fault_point("evaluation", at_.step);
  const Weights result = stepper_.replica().result();
  const Evaluation validation =
      evaluator_.evaluate(comm_, result, data_.validation(), settings_.class_names);
  event.val_loss = validation.loss();
  event.val_accuracy = validation.accuracy();
  event.top_k = validation.top_k;
  event.val_top_k_accuracy = validation.top_k_accuracy();
  event.seconds = std::chrono::duration<double>(Clock::now() - epoch_begin_).count();
  event.straggler = find_straggler(gather_values(comm_, take_times()));
  event.weights_digest = stepper_.replica().weights.digest(network_);

  const Directive directive = ask_callbacks(event);
  at_.rate_factor *= directive.learning_rate_factor;
  at_.min_rate = std::max(at_.min_rate, directive.min_learning_rate);
  at_.restore_best = at_.restore_best || directive.restore_best;
  at_.stopped = directive.stop;
  if (directive.keep_as_best) {
    best_.assign(result.values().begin(), result.values().end());
    at_.best_epoch = at_.epoch;
    at_.best_step = at_.step;
  }
  ++at_.epoch;
  at_.epoch_step = 0;
  at_.loss_sum = 0;
  at_.loss_weight = 0;
  at_.correct = 0;
  at_.samples = 0;
  if (at_.stopped) at_.reason = directive.reason;
  if (directive.keep_as_best || at_.skipped_in_row == 0 || at_.epoch == settings_.train.epochs) {
    save(directive.keep_as_best ? AsBest::kYes : AsBest::kNo);
  }
  epoch_begin_ = Clock::now();
  samples_before_ = 0;
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

TrainResult Loop::finish() {
  TrainResult result;
  comm_.begin_long_work("writing the last checkpoint", 0);
  if (writer_ != nullptr) {
    if (!writer_->finish()) {
      fail_internal("the training ended, but its last checkpoint could not be written");
    }
  }
  if (memory_writer_ != nullptr) {
    memory_writer_.reset();
    remove_memory_folder(settings_.run_dir);
  }
  const Weights weights = interrupted_ ? stepper_.replica().weights : result_weights();
  result.weights.assign(weights.values().begin(), weights.values().end());
  result.weights_digest = weights.digest(network_);
  if (!interrupted_) {
    result.validation_logits = evaluator_.logits(weights, data_.validation());
    result.validation = evaluator_.evaluate(comm_, result.validation_logits, data_.validation(),
                                            settings_.class_names);
  }
  take_times();
  result.steps_run = steps_run_;
  result.times_by_rank = gather_values(comm_, times_);
  result.interrupted = interrupted_;
  result.reason =
      interrupted_ ? fmt::format("saved at step {} and ended on request", at_.step) : at_.reason;
  result.steps = at_.step;
  result.best_epoch = at_.best_epoch;
  end(interrupted_ ? RunOutcome::kSaved : RunOutcome::kDone, result.reason, result.weights_digest);
  return result;
}

void Loop::end(RunOutcome outcome, const std::string& reason, const Digest& weights_digest) {
  if (!root()) return;
  EndEvent event;
  event.outcome = outcome;
  event.epochs = at_.epoch;
  event.step = at_.step;
  event.seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
  event.reason = reason;
  event.weights_digest = weights_digest;
  for (const auto& callback : callbacks_) callback->on_run_end(event);
}

TrainResult train(Communicator& comm, const Network& network, const TrainingData& data,
                  const Engine& engine, const TrainSettings& settings,
                  std::vector<std::unique_ptr<Callback>>& callbacks) {
  return Loop(comm, network, data, engine, settings, callbacks).run();
}

TrainResult train(Communicator& comm, const Network& network, const TrainingData& data,
                  Workers& workers, const TrainSettings& settings,
                  std::vector<std::unique_ptr<Callback>>& callbacks) {
  CpuStepper stepper(comm, network, data, workers, settings.parallel, settings.train,
                     settings.seed);
  CpuEvaluator evaluator(network, workers, settings.parallel.precision,
                         data.summary().normalization);
  return train(comm, network, data, {stepper, evaluator}, settings, callbacks);
}

}  // namespace lockstep
