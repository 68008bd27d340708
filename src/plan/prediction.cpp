#include "lockstep/plan/prediction.h"

#include <algorithm>
#include <vector>

#include "lockstep/parallel/exchange_plan.h"

namespace lockstep {

namespace {

constexpr int kMostDoublings = 20;

std::int64_t quotient_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// What a member does in the exchange of one bucket, as parts of its elements.
struct RoundShare {
  double sent = 0;
  double received = 0;
  double added = 0;
  int messages = 0;    // sent and received
  double longest = 0;  // message
};

std::vector<RoundShare> rounds_of(const PlannedJob& job, int nodes, int ranks_per_node, int node) {
  std::vector<int> members;
  for (int rank = 0; rank < job.ranks; ++rank) members.push_back(rank / ranks_per_node);
  const ExchangePlan plan(owners_of_lanes(job.lanes, members), nodes, node);
  const auto part = [&](const Range& slices) {
    return static_cast<double>(slices.size()) / plan.slices;
  };
  std::vector<RoundShare> rounds;
  for (const ExchangePlan::Round& round : plan.rounds) {
    RoundShare& share = rounds.emplace_back();
    for (const auto& each : round.additions) {
      share.added += part(each.slices) * static_cast<double>(each.addends.size() - 1);
    }
    for (const auto& each : round.out) share.sent += part(each.slices);
    for (const auto& each : round.in) share.received += part(each.slices);
    for (const auto* messages : {&round.out, &round.in}) {
      share.messages += static_cast<int>(messages->size());
      for (const auto& each : *messages) share.longest = std::max(share.longest, part(each.slices));
    }
  }
  return rounds;
}

struct Exchange {
  double work = 0;     // of a rank, for messages and additions
  double exposed = 0;  // after the last pass
};

// The buckets take turns on the node's link; their latencies pass side by side.
Exchange exchange_seconds(const MeasuredTimes& measured, const PlannedJob& job,
                          const PlannedNodes& nodes, double pass, double slowdown) {
  const Link& link = nodes.link;
  const int node_count = static_cast<int>(quotient_up(job.ranks, nodes.ranks_per_node));
  const double on_node = std::min(nodes.ranks_per_node, job.ranks);
  // Of a node in the middle, where lanes are shared out unevenly.
  const auto rounds = rounds_of(job, node_count, nodes.ranks_per_node, node_count / 2);
  Exchange result;
  double link_free = 0;
  double finished = 0;
  for (const MeasuredTimes::Bucket& bucket : measured.buckets) {
    const double bytes = static_cast<double>(bucket.values * bucket.value_bytes);
    double transfer = 0;
    double latency = 0;
    for (const RoundShare& round : rounds) {
      const double message_bytes = round.longest * bytes / on_node;
      latency += link.latency_seconds * (message_bytes > link.rendezvous_bytes ? 3 : 1);
      transfer += std::max(round.sent, round.received) * bytes / link.bytes_per_second;
      result.work += (round.sent + round.received) * bytes / on_node * link.byte_seconds * slowdown;
      result.work += round.messages * link.message_seconds * slowdown +
                     round.added / on_node * static_cast<double>(bucket.values) /
                         static_cast<double>(measured.values) * measured.add_seconds * slowdown;
    }
    const double begin = std::max(bucket.ready * pass, link_free);
    link_free = begin + transfer;
    finished = std::max(finished, link_free + latency);
  }
  result.exposed = std::max(finished - pass, 0.0);
  return result;
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
  const double pass =
      slowdown *
      pass_seconds(measured, static_cast<double>(quotient_up(job.global_batch, job.lanes)));
  result.compute = static_cast<double>(quotient_up(lanes_of_rank, job.threads)) * pass;
  result.update = measured.update_seconds * slowdown / job.threads;
  result.sum = add * job.lanes / job.ranks / job.threads;
  if (job.ranks > nodes.ranks_per_node) {
    const Exchange exchange = exchange_seconds(measured, job, nodes, pass, slowdown);
    result.exposed = exchange.exposed;
    result.sum += exchange.work + exchange.exposed + add / 2 / on_node / job.threads;
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
