#include "model/loss.h"

#include <algorithm>
#include <cmath>

namespace lockstep {

LaneResult cross_entropy(std::span<const float> logits, std::span<const std::int32_t> labels,
                         float label_smoothing, std::span<float> gradient) {
  const std::size_t classes = logits.size() / labels.size();
  const float share = label_smoothing / static_cast<float>(classes);
  double loss = 0;
  int correct = 0;
  for (std::size_t n = 0; n < labels.size(); ++n) {
    const auto row = logits.subspan(n * classes, classes);
    const auto label = static_cast<std::size_t>(labels[n]);
    const auto largest = std::max_element(row.begin(), row.end());
    correct += static_cast<std::size_t>(largest - row.begin()) == label ? 1 : 0;
    double total = 0;
    for (const float logit : row) total += std::exp(static_cast<double>(logit - *largest));
    const double log_total = std::log(total) + *largest;
    for (std::size_t c = 0; c < classes; ++c) {
      const double log_probability = row[c] - log_total;
      const float target = share + (c == label ? 1 - label_smoothing : 0.0F);
      gradient[n * classes + c] = static_cast<float>(std::exp(log_probability)) - target;
      if (target != 0) loss -= target * log_probability;
    }
  }
  return {.loss_sum = static_cast<float>(loss), .correct = static_cast<float>(correct)};
}

}  // namespace lockstep
