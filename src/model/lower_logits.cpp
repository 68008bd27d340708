// The layer that gives the logits.

#include <variant>

#include "lockstep/core/error.h"
#include "model/lowering.h"

namespace lockstep {

void Lowering::add(const LogitsOptions& logits) {
  if (!logits_.empty()) fail_logits_before_others();
  add(DenseOptions{.units = classes_, .initializer = logits.initializer, .bias = logits.bias});
  info().title = fmt::format("logits {}", classes_);
  logits_ = layer_.written;
  logits_value_ = end_.value;
}

void Lowering::fail_logits_before_others() const {
  fail_usage("{} (logits): must be the last layer", logits_);
}

void Lowering::check_logits(int classes) const {
  if (!logits_.empty() && logits_value_ != end_.value) fail_logits_before_others();
  const std::string layer =
      last_.written.empty() ? "model" : fmt::format("{} ({})", last_.written, last_.kind);
  const auto& primitives = graph_.primitives;
  if (primitives.empty() || !std::holds_alternative<DenseOp>(primitives.back().work)) {
    fail_usage(
        "{}: the last layer must be a dense layer without activation (its outputs are the logits)",
        layer);
  }
  if (shape() == ImageShape{1, 1, classes}) return;
  fail_usage("{}: the last layer gives {}, but data.classes asks for 1x1x{} logits", layer,
             text_of(shape()), classes);
}

}  // namespace lockstep
