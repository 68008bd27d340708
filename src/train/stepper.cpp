#include "lockstep/train/stepper.h"

#include <algorithm>
#include <cmath>

namespace lockstep {

namespace {

constexpr std::int64_t kUpdateBlock = 16384;  // floats

}  // namespace

Stepper::Stepper(Communicator& comm, const Network& network, const TrainingData& data,
                 Workers& workers, const ParallelOptions& parallel, const TrainOptions& train,
                 std::uint64_t seed)
    : network_(network),
      data_(data),
      workers_(workers),
      global_batch_(parallel.global_batch),
      clip_norm_(train.clip_norm),
      ema_decay_(train.ema_decay),
      weights_(network.initial_weights(seed), parallel.precision),
      optimizer_(train.optimizer, network.trainable_size()),
      runner_(comm, network, workers, parallel, seed, train.label_smoothing) {
  if (ema_decay_ > 0) average_.assign(weights_.values().begin(), weights_.values().end());
}

Weights Stepper::result() const {
  if (average_.empty()) return weights_;
  return {average_, weights_.precision()};
}

StepSum Stepper::step(int epoch, std::int64_t step, float learning_rate) {
  const StepSum sum = runner_.run(
      weights_, epoch,
      [&](int lane, Batch& batch) { data_.fill_batch(lane, epoch, step, global_batch_, batch); },
      [&](const StepSum& summed, int worker) { update(summed, worker, learning_rate); });
  if (std::isfinite(sum.square_norm)) ++updates_;
  return sum;
}

// Every worker of every rank computes the same from the same sums; each updates
// its share of the weights, the first one the running statistics too.
void Stepper::update(const StepSum& sum, int worker, float learning_rate) {
  if (!std::isfinite(sum.square_norm)) return;
  const auto samples = static_cast<float>(sum.samples);
  UpdateRule rule{learning_rate, 1 / samples, updates_ + 1};
  const double norm = std::sqrt(sum.square_norm) / samples;
  if (clip_norm_ > 0 && norm > clip_norm_) {
    rule.gradient_factor *= static_cast<float>(clip_norm_ / norm);
  }
  constexpr std::int64_t kLine = 16;  // floats; shares never cut a cache line
  const Range lines = share_of(network_.trainable_size() / kLine, workers_.count(), worker);
  const Range mine{lines.first * kLine, lines.last * kLine};
  // In blocks, so that rounding finds the new values in the core's cache.
  for (std::int64_t first = mine.first; first < mine.last; first += kUpdateBlock) {
    const Range block{first, std::min(first + kUpdateBlock, mine.last)};
    optimizer_.update(block, weights_.values(), sum.gradients, rule);
    weights_.round(block);
    update_average(block, rule.step);
  }
  if (worker == 0) {
    network_.update_statistics(weights_.values(), sum.statistics, samples, rule.step);
    update_average({network_.trainable_size(), network_.total_size()}, rule.step);
  }
}

void Stepper::update_average(Range range, std::int64_t update) {
  if (average_.empty()) return;
  const auto t = static_cast<float>(update);
  const float part = 1 - std::min(ema_decay_, (1 + t) / (10 + t));
  const std::span<const float> values = weights_.values();
  for (auto i = static_cast<std::size_t>(range.first); i < static_cast<std::size_t>(range.last);
       ++i) {
    average_[i] += part * (values[i] - average_[i]);
  }
}

}  // namespace lockstep
