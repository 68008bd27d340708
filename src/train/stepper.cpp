#include "lockstep/train/stepper.h"

#include <algorithm>
#include <utility>

namespace lockstep {

Replica first_replica(const Network& network, const ParallelOptions& parallel,
                      const TrainOptions& train, std::uint64_t seed) {
  std::vector<float> values = network.initial_weights(seed);
  std::vector<float> average;
  if (train.ema_decay > 0) average = values;
  return {Weights(std::move(values), parallel.precision), std::move(average),
          Optimizer(train.optimizer, network.trainable_size())};
}

Replica begun_with(Replica first, std::vector<float> values) {
  if (!first.average.empty()) first.average = values;
  first.weights = Weights(std::move(values), first.weights.precision());
  return first;
}

Weights Replica::result() const {
  if (average.empty()) return weights;
  return {average, weights.precision()};
}

float average_part(float ema_decay, std::int64_t update) {
  const auto t = static_cast<float>(update);
  return 1 - std::min(ema_decay, (1 + t) / (10 + t));
}

}  // namespace lockstep
