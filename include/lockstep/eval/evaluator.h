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
#include "lockstep/eval/options.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/model/network.h"
#include "lockstep/model/weights.h"

namespace lockstep {

class Evaluator {
 public:
  virtual ~Evaluator() = default;

  // Of the evaluations; 0: none.
  int top_k() const { return top_k_of(options_, classes_); }

  // Local: logits [rows.size(), classes] of the rows held by this rank, averaged over the views
  // of each that the options name.
  virtual std::vector<float> logits(const Weights& weights, const RowShare& rows) = 0;

  // Collective: counts and losses over the labelled rows of all ranks; losses are
  // summed in double over chunks in row order.
  Evaluation evaluate(Communicator& comm, const Weights& weights, const RowShare& rows,
                      const std::vector<std::string>& class_names);

  // Collective: the same from the logits of the rows held.
  Evaluation evaluate(Communicator& comm, std::span<const float> logits, const RowShare& rows,
                      const std::vector<std::string>& class_names) const;

 protected:
  Evaluator(int classes, const EvaluationOptions& options) : classes_(classes), options_(options) {}

  std::vector<View> views() const { return views_of(options_); }

 private:
  int classes_;
  EvaluationOptions options_;
};

// Computes on the cores of the CPU.
class CpuEvaluator final : public Evaluator {
 public:
  // `network` and `workers` must outlive it.
  CpuEvaluator(const Network& network, Workers& workers, Precision precision,
               Normalization normalization, const EvaluationOptions& options = {});

  std::vector<float> logits(const Weights& weights, const RowShare& rows) override;

 private:
  // Of the worker's batch.
  void infer_views(const Weights& weights, std::size_t worker, std::span<float> logits);

  const Network& network_;
  Workers& workers_;
  Normalization normalization_;
  // By worker.
  std::vector<LaneExecutor> executors_;
  std::vector<Batch> batches_;
  std::vector<Batch> views_;
  std::vector<std::vector<float>> view_logits_;
};

// Softmax of one row of logits, in double.
std::vector<double> probabilities(std::span<const float> logits);

// The class of the largest one, the first of equals.
std::size_t likeliest(std::span<const float> logits);

// Whether `label` is among the `k` largest ones, of equals the first; a NaN is not.
bool is_among_largest(std::span<const float> logits, std::int32_t label, int k);

// The images of a batch by a view, to `to` of their size.
void show(const ImageShape& shape, const View& view, std::span<const float> images,
          std::span<float> to);

}  // namespace lockstep
