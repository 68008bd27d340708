#include "lockstep/plan/prediction.h"

#include <algorithm>
#include <cmath>

#include "lockstep/parallel/lane_sum.h"

namespace lockstep {

namespace {

constexpr int kMostDoublings = 20;

std::int64_t quotient_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Of the two phases between nodes, without the rank's own lanes.
double message_seconds(const MeasuredTimes& measured, const PlannedJob& job,
                       const PlannedNodes& nodes, double slowdown) {
  const Link& link = nodes.link;
  const double ranks = job.ranks;
  const double on_node = std::min(nodes.ranks_per_node, job.ranks);
  const double partials = most_partial_sums(job.lanes, job.ranks);
  const double add = measured.add_seconds * slowdown;
  const double slice_bytes = 4.0 * static_cast<double>(measured.values) / ranks;
  const double reach = link.latency_seconds * (slice_bytes > link.rendezvous_bytes ? 3 : 1);
  const double between_nodes = (ranks - on_node) * on_node * slice_bytes / link.bytes_per_second;
  const double within_node = 2 * (on_node - 1) / ranks * add;
  const double transfer = std::max(between_nodes, within_node);
  const double messages = 2 * (ranks - 1) * link.message_seconds * slowdown;
  return reach + partials * (messages + transfer + add) + reach + messages + transfer + add / 2;
}

}  // namespace

double pass_seconds(const MeasuredTimes& measured, double samples) {
  const auto& passes = measured.passes;
  std::size_t upper = 1;
  while (upper + 1 < passes.size() && static_cast<double>(passes[upper].samples) < samples) ++upper;
  const auto& a = passes[upper - 1];
  const auto& b = passes[upper];
  const double slope = (b.seconds - a.seconds) / static_cast<double>(b.samples - a.samples);
  return std::max(a.seconds + slope * (samples - static_cast<double>(a.samples)), 0.0);
}

StepPrediction predict_step(const MeasuredTimes& measured, const PlannedJob& job,
                            const PlannedNodes& nodes) {
  const int on_node = std::min(nodes.ranks_per_node, job.ranks);
  const double slowdown =
      std::max(1.0, static_cast<double>(on_node) * job.threads / nodes.cores_per_node);
  const std::int64_t lanes_of_rank = quotient_up(job.lanes, job.ranks);
  const double add = measured.add_seconds * slowdown;
  StepPrediction result;
  result.compute =
      static_cast<double>(quotient_up(lanes_of_rank, job.threads)) * slowdown *
      pass_seconds(measured, static_cast<double>(quotient_up(job.global_batch, job.lanes)));
  result.update = measured.update_seconds * slowdown / job.threads;
  if (job.ranks <= nodes.ranks_per_node) {
    result.sum = add * job.lanes / job.ranks / job.threads;
  } else {
    result.sum = add * static_cast<double>(lanes_of_rank) / job.threads +
                 message_seconds(measured, job, nodes, slowdown);
  }
  result.step = result.compute + result.sum + result.update;
  result.images_per_second = static_cast<double>(job.global_batch) / result.step;
  return result;
}

std::int64_t efficient_batch(const MeasuredTimes& measured, const PlannedJob& alone,
                             const PlannedJob& job, const PlannedNodes& nodes, double efficiency) {
  const double wanted =
      efficiency * job.ranks * predict_step(measured, alone, nodes).images_per_second;
  PlannedJob tried = job;
  for (int i = 0; i <= kMostDoublings; ++i, tried.global_batch *= 2) {
    if (predict_step(measured, tried, nodes).images_per_second >= wanted) return tried.global_batch;
  }
  return 0;
}

}  // namespace lockstep
