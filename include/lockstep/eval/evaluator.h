// Runs a network over rows that are spread over all ranks and gives exact,
// rank-independent results: every row once, in chunks of kChunkRows whose
// arithmetic does not depend on who computes them. Owned by the caller, one a rank.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "lockstep/comm/communicator.h"
#include "lockstep/core/workers.h"
#include "lockstep/data/normalization.h"
#include "lockstep/data/row_share.h"
#include "lockstep/eval/evaluation.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/model/network.h"
#include "lockstep/model/weights.h"

namespace lockstep {

class Evaluator {
 public:
  virtual ~Evaluator() = default;

  // Local: logits [rows.size(), classes] of the rows held by this rank.
  virtual std::vector<float> logits(const Weights& weights, const RowShare& rows) = 0;

  // Collective: counts and losses over the labelled rows of all ranks; losses are
  // summed in double over chunks in row order.
  Evaluation evaluate(Communicator& comm, const Weights& weights, const RowShare& rows,
                      const std::vector<std::string>& class_names);

  // Collective: the same from the logits of the rows held.
  Evaluation evaluate(Communicator& comm, std::span<const float> logits, const RowShare& rows,
                      const std::vector<std::string>& class_names) const;

 protected:
  explicit Evaluator(int classes) : classes_(classes) {}

 private:
  int classes_;
};

// Computes on the cores of the CPU.
class CpuEvaluator final : public Evaluator {
 public:
  // `network` and `workers` must outlive it.
  CpuEvaluator(const Network& network, Workers& workers, Precision precision,
               Normalization normalization);

  std::vector<float> logits(const Weights& weights, const RowShare& rows) override;

 private:
  const Network& network_;
  Workers& workers_;
  Normalization normalization_;
  std::vector<LaneExecutor> executors_;  // by worker
  std::vector<Batch> batches_;           // by worker
};

// Softmax of one row of logits, in double.
std::vector<double> probabilities(std::span<const float> logits);

// The class of the largest one, the first of equals.
std::size_t likeliest(std::span<const float> logits);

}  // namespace lockstep
