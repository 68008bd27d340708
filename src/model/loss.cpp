#include "model/loss.h"

#include "lockstep/core/loss_formulas.h"

namespace lockstep {

LaneResult cross_entropy(std::span<const float> logits, const Batch& batch,
                         const LaneContext& context, std::span<float> gradient) {
  const std::size_t classes = logits.size() / batch.labels.size();
  const LossRule rule{context.label_smoothing,
                      context.class_weights.empty() ? nullptr : context.class_weights.data()};
  double loss = 0;
  double weight = 0;
  int correct = 0;
  for (std::size_t n = 0; n < batch.labels.size(); ++n) {
    SampleLabels labels{batch.labels[n], batch.labels[n], 1};
    if (!batch.other_labels.empty()) {
      labels.other = batch.other_labels[n];
      labels.part = batch.label_parts[n];
    }
    const int largest = formula::cross_entropy(logits.subspan(n * classes, classes).data(),
                                               static_cast<int>(classes), labels, rule,
                                               gradient.subspan(n * classes, classes).data(), loss);
    correct += formula::is_correct(labels, largest) ? 1 : 0;
    weight += formula::loss_weight(labels, rule.class_weights);
  }
  return {.loss_sum = static_cast<float>(loss),
          .correct = static_cast<float>(correct),
          .weight = static_cast<float>(weight)};
}

}  // namespace lockstep
