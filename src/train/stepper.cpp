#include "lockstep/train/stepper.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace lockstep {

Replica first_replica(const Network& network, const ParallelOptions& parallel,
                      const TrainOptions& train, std::uint64_t seed) {
  std::vector<float> values = network.initial_weights(seed);
  std::vector<float> average;
  if (train.ema_decay > 0) average = values;
  return {Weights(std::move(values), parallel.precision), std::move(average),
          Optimizer(train.optimizer, update_parts(network, train))};
}

Replica begun_with(Replica first, std::vector<float> values,
                   std::set<std::string> taken_statistics) {
  if (!first.average.empty()) first.average = values;
  first.weights = Weights(std::move(values), first.weights.precision());
  first.taken_statistics = std::move(taken_statistics);
  return first;
}

Weights Replica::result() const {
  if (average.empty()) return weights;
  return {average, weights.precision()};
}

std::vector<float> loss_weights(const TrainOptions& train,
                                std::span<const std::int64_t> training_class_counts) {
  if (!train.balance_classes) return train.class_weights;
  const auto rows =
      static_cast<double>(std::reduce(training_class_counts.begin(), training_class_counts.end()));
  const auto absent = std::count(training_class_counts.begin(), training_class_counts.end(), 0);
  const double present =
      static_cast<double>(training_class_counts.size()) - static_cast<double>(absent);
  std::vector<float> weights;
  for (const std::int64_t count : training_class_counts) {
    const double weight = count == 0 ? 0 : rows / (present * static_cast<double>(count));
    weights.push_back(static_cast<float>(weight));
  }
  return weights;
}

float average_part(float ema_decay, std::int64_t update) {
  const auto t = static_cast<float>(update);
  return 1 - std::min(ema_decay, (1 + t) / (10 + t));
}

}  // namespace lockstep
