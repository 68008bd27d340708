// Logits by a GPU; see eval/evaluator.h.
#pragma once

#include <memory>
#include <vector>

#include "lockstep/eval/evaluator.h"
#include "lockstep/gpu/accelerator.h"

namespace lockstep {

class GpuEvaluator final : public Evaluator {
 public:
  // `accelerator` and `network` must outlive it.
  GpuEvaluator(Accelerator& accelerator, const Network& network, Precision precision,
               const Normalization& normalization, const EvaluationOptions& options = {});
  ~GpuEvaluator() override;

  std::vector<float> logits(const Weights& weights, const RowShare& rows) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lockstep
