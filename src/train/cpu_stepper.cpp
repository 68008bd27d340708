#include "lockstep/train/cpu_stepper.h"

#include <algorithm>
#include <cmath>
#include <exception>

namespace lockstep {

namespace {

constexpr std::int64_t kUpdateBlock = 16384;  // floats

}  // namespace

CpuStepper::CpuStepper(Communicator& comm, const Network& network, const TrainingData& data,
                       Workers& workers, const ParallelOptions& parallel, const TrainOptions& train,
                       std::uint64_t seed)
    : network_(network),
      data_(data),
      workers_(workers),
      global_batch_(parallel.global_batch),
      clip_norm_(train.clip_norm),
      ema_decay_(train.ema_decay),
      replica_(first_replica(network, parallel, train, seed)),
      runner_(comm, network, workers, parallel,
              {seed, 0, train.label_smoothing,
               loss_weights(train, data.summary().training_class_counts)}),
      prepared_(workers.count(), Finish{&replica_.optimizer}) {}

StepSum CpuStepper::step(int epoch, std::int64_t step, float learning_rate) {
  const StepSum sum = runner_.run(
      replica_.weights, epoch,
      [&](int lane, Batch& batch) { data_.fill_batch(lane, epoch, step, global_batch_, batch); },
      [&](const StepSum& summed, int worker) { update(summed, worker, learning_rate); });
  if (std::isfinite(sum.square_norm)) ++replica_.updates;
  return sum;
}

// Every worker of every rank computes the same from the same sums; each updates
// its share of the weights, the first one the running statistics too.
void CpuStepper::update(const StepSum& sum, int worker, float learning_rate) {
  if (!std::isfinite(sum.square_norm)) return;
  const auto samples = static_cast<float>(sum.samples);
  const UpdateRule rule{learning_rate,
                        formula::gradient_factor(sum.square_norm, sum.loss_weight, clip_norm_),
                        replica_.updates + 1};
  if (replica_.optimizer.prepares()) prepare_update(sum, worker, rule);
  constexpr std::int64_t kLine = 16;  // floats; shares never cut a cache line
  const Range lines = share_of(network_.trainable_size() / kLine, workers_.count(), worker);
  const Range mine{lines.first * kLine, lines.last * kLine};
  // In blocks, so that rounding finds the new values in the core's cache.
  for (std::int64_t first = mine.first; first < mine.last; first += kUpdateBlock) {
    const Range block{first, std::min(first + kUpdateBlock, mine.last)};
    replica_.optimizer.update(block, replica_.weights.values(), sum.gradients, rule);
    replica_.weights.round(block);
    update_average(block, rule.step);
  }
  if (worker == 0) {
    network_.update_statistics(replica_.weights.values(), sum.statistics, samples, rule.step,
                               replica_.taken_statistics);
    update_average({network_.trainable_size(), network_.changing_size()}, rule.step);
  }
}

// A worker that fails meets the others all the same, so that nobody waits for it.
void CpuStepper::prepare_update(const StepSum& sum, int worker, const UpdateRule& rule) {
  std::exception_ptr failure;
  try {
    replica_.optimizer.prepare(worker, workers_.count(), replica_.weights.values(), sum.gradients,
                               rule);
  } catch (...) {
    failure = std::current_exception();
  }
  prepared_.arrive_and_wait();
  if (failure) std::rethrow_exception(failure);
}

void CpuStepper::update_average(Range range, std::int64_t update) {
  if (replica_.average.empty()) return;
  const float part = average_part(ema_decay_, update);
  const std::span<const float> values = replica_.weights.values();
  for (auto i = static_cast<std::size_t>(range.first); i < static_cast<std::size_t>(range.last);
       ++i) {
    replica_.average[i] = formula::moved_average(replica_.average[i], part, values[i]);
  }
}

}  // namespace lockstep
