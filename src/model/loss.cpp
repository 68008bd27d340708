#include "model/loss.h"

#include "lockstep/core/learning_formulas.h"

namespace lockstep {

LaneResult cross_entropy(std::span<const float> logits, std::span<const std::int32_t> labels,
                         float label_smoothing, std::span<float> gradient) {
  const std::size_t classes = logits.size() / labels.size();
  double loss = 0;
  int correct = 0;
  for (std::size_t n = 0; n < labels.size(); ++n) {
    const auto row = logits.subspan(n * classes, classes);
    const int largest =
        formula::cross_entropy(row.data(), static_cast<int>(classes), labels[n], label_smoothing,
                               gradient.subspan(n * classes, classes).data(), loss);
    correct += largest == labels[n] ? 1 : 0;
  }
  return {.loss_sum = static_cast<float>(loss), .correct = static_cast<float>(correct)};
}

}  // namespace lockstep
