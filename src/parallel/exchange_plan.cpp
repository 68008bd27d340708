#include "lockstep/parallel/exchange_plan.h"

#include <algorithm>

#include "lockstep/core/error.h"
#include "lockstep/parallel/lane_tree.h"
#include "parallel/value_routes.h"

namespace lockstep {

namespace {

constexpr std::int64_t kGrain = 64;  // floats

// A value of one slice that this member sends or receives.
struct Part {
  int node;
  int peer;
  int slice;
  std::vector<int> program;  // of what it sends: partial sums, received nodes, kAdd

  bool goes_on_in(const Part& next) const {
    return node == next.node && peer == next.peer && slice + 1 == next.slice;
  }
};

void sort(std::vector<Part>& parts) {
  std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
    return std::tie(a.node, a.peer, a.slice) < std::tie(b.node, b.peer, b.slice);
  });
}

// Calls run(first, last) for the runs of parts that are one message.
template <typename Run>
void for_runs(const std::vector<Part>& parts, const Run& run) {
  for (std::size_t first = 0; first < parts.size();) {
    std::size_t last = first + 1;
    while (last < parts.size() && parts[last - 1].goes_on_in(parts[last])) ++last;
    run(first, last);
    first = last;
  }
}

// Collects what one member does.
class Collector final : public ValueRoutes::Visitor {
 public:
  Collector(const ValueRoutes& routes, ExchangePlan& plan, int member)
      : routes_(routes), plan_(plan), member_(member) {}

  void on_value(int node, int at, int to, int slice, const std::vector<int>& program) override {
    if (at == member_) sent_.push_back({node, to, slice, program});
    if (to == member_) received_.push_back({node, at, slice, {}});
  }
  void on_sum(int node, int from, int to, int slice) override {
    if (from == member_) sums_sent_.push_back({node, to, slice, {}});
    if (to == member_) sums_received_.push_back({node, from, slice, {}});
  }
  void on_result(int at, int slice, const std::vector<int>& program) override {
    if (at == member_) finished_.push_back({0, at, slice, program});
  }

  void write() {
    rounds_.resize(2 * static_cast<std::size_t>(routes_.levels()));
    for (auto* parts : {&sent_, &received_, &sums_sent_, &sums_received_, &finished_}) sort(*parts);
    write_received();
    write_sent();
    write_sums();
    keep_what_is_done();
  }

 private:
  ExchangePlan::Round& up(int node) {
    return rounds_[static_cast<std::size_t>(routes_.level(node))];
  }
  ExchangePlan::Round& down(int node) {
    return rounds_[rounds_.size() - 1 - static_cast<std::size_t>(routes_.level(node))];
  }
  static Range slices(const std::vector<Part>& parts, std::size_t first, std::size_t last) {
    return {parts[first].slice, parts[last - 1].slice + 1};
  }
  int store(Range of_slices) {
    plan_.stored.push_back(of_slices);
    return static_cast<int>(plan_.partials.size() + plan_.stored.size()) - 1;
  }

  void write_received() {
    for_runs(received_, [&](std::size_t first, std::size_t last) {
      const Part& part = received_[first];
      const Range run = slices(received_, first, last);
      const int value = store(run);
      up(part.node).in.push_back({part.peer, run, value});
      arrivals_.push_back({part.node, run, value});
    });
  }

  void write_sent() {
    for_runs(sent_, [&](std::size_t first, std::size_t last) {
      const Part& part = sent_[first];
      const Range run = slices(sent_, first, last);
      const bool is_partial = part.program.size() == 1;
      const int value = is_partial ? part.program[0] : store(run);
      up(part.node).out.push_back({part.peer, run, value});
      if (!is_partial) add(up(part.node), sent_, first, last, value);
    });
  }

  // The sums go down in the rounds after all values have come up; what this member has
  // finished is added in the first of them.
  void write_sums() {
    const auto each = [&](const std::vector<Part>& parts, auto messages) {
      for_runs(parts, [&](std::size_t first, std::size_t last) {
        const Part& part = parts[first];
        (down(part.node).*messages)
            .push_back({part.peer, slices(parts, first, last), ExchangePlan::kResult});
      });
    };
    each(sums_sent_, &ExchangePlan::Round::out);
    each(sums_received_, &ExchangePlan::Round::in);
    const auto half = rounds_.size() / 2;
    if (!finished_.empty()) {
      add(rounds_[half], finished_, 0, finished_.size(), ExchangePlan::kResult);
    }
  }

  // What only adds does so at the begin of the next round.
  void keep_what_is_done() {
    std::vector<ExchangePlan::Addition> additions;
    for (ExchangePlan::Round& round : rounds_) {
      round.additions.insert(round.additions.begin(), additions.begin(), additions.end());
      additions.clear();
      if (!round.out.empty() || !round.in.empty()) {
        plan_.rounds.push_back(std::move(round));
      } else {
        additions = std::move(round.additions);
      }
    }
    if (!additions.empty()) plan_.rounds.push_back({std::move(additions), {}, {}});
  }

  // Additions of `parts`, one for those side by side that add the same.
  void add(ExchangePlan::Round& round, const std::vector<Part>& parts, std::size_t first,
           std::size_t last, int sum) {
    const std::size_t before = round.additions.size();
    for (std::size_t i = first; i < last; ++i) {
      const int slice = parts[i].slice;
      ExchangePlan::Addition next{{}, {}, {slice, slice + 1}, sum};
      for (const int step : parts[i].program) {
        next.program.push_back(step == kAdd ? kAdd : static_cast<int>(next.addends.size()));
        if (step != kAdd) next.addends.push_back(value_of(step, slice));
      }
      if (round.additions.size() > before) {
        ExchangePlan::Addition& previous = round.additions.back();
        if (previous.slices.last == slice && previous.program == next.program &&
            previous.addends == next.addends) {
          ++previous.slices.last;
          continue;
        }
      }
      round.additions.push_back(std::move(next));
    }
  }

  // Of a step of a program: a partial sum of this member, or a node that it receives.
  int value_of(int step, int slice) const {
    const auto partials = static_cast<int>(plan_.partials.size());
    if (step < partials) return step;
    for (const Arrival& each : arrivals_) {
      if (each.node == step - partials && each.slices.contains(slice)) return each.value;
    }
    fail_internal("slice {} of a sum lacks a value", slice);
  }

  struct Arrival {
    int node;
    Range slices;
    int value;
  };

  const ValueRoutes& routes_;
  ExchangePlan& plan_;
  int member_;
  std::vector<Part> sent_, received_, sums_sent_, sums_received_, finished_;
  std::vector<Arrival> arrivals_;
  std::vector<ExchangePlan::Round> rounds_;
};

}  // namespace

Range share_of_elements(Range elements, std::int64_t parts, std::int64_t index) {
  const Range grains = share_of((elements.size() + kGrain - 1) / kGrain, parts, index);
  return {std::min(elements.first + grains.first * kGrain, elements.last),
          std::min(elements.first + grains.last * kGrain, elements.last)};
}

std::vector<int> owners_of_lanes(int lanes, std::span<const int> members_by_rank) {
  const auto ranks = static_cast<std::int64_t>(members_by_rank.size());
  std::vector<int> owners;
  for (int lane = 0; lane < lanes; ++lane) {
    owners.push_back(members_by_rank[static_cast<std::size_t>(part_of(lanes, ranks, lane))]);
  }
  return owners;
}

ExchangePlan::ExchangePlan(std::span<const int> owners, int members, int member) {
  const LaneTree tree(static_cast<int>(owners.size()));
  std::vector<LaneNode> own;
  for (std::size_t lane = 0; lane < owners.size(); ++lane) {
    if (owners[lane] != member) continue;
    lanes.push_back(static_cast<std::int64_t>(lane));
    own.push_back({0, static_cast<int>(lane)});
  }
  for (const LaneNode& node : tree.complete_nodes(owners, member)) {
    partials.push_back(postfix(tree, node, own));
  }
  const ValueRoutes routes(tree, owners, members, member);
  slices = routes.slices();
  Collector collector(routes, *this, member);
  routes.visit(collector);
  collector.write();
}

Range ExchangePlan::elements_of(Range slices_of_part, Range elements) const {
  const Range counted{0, elements.size()};
  return {share_of_elements(counted, slices, slices_of_part.first).first,
          share_of_elements(counted, slices, slices_of_part.last - 1).last};
}

std::int64_t ExchangePlan::stored_size(Range elements) const {
  std::int64_t size = 0;
  for (const Range& each : stored) size += elements_of(each, elements).size();
  return size;
}

std::vector<PlannedRound> ExchangePlan::bind(Range elements, std::span<float* const> partial_sums,
                                             float* storage, float* sums) const {
  std::vector<float*> values;  // from the first of their elements on
  std::vector<std::int64_t> first;
  for (float* each : partial_sums) {
    values.push_back(each);
    first.push_back(0);
  }
  for (const Range& each : stored) {
    const Range range = elements_of(each, elements);
    values.push_back(storage);
    first.push_back(range.first);
    storage += range.size();
  }
  const auto part = [&](int value, Range of_slices) {
    const Range range = elements_of(of_slices, elements);
    const auto index = static_cast<std::size_t>(value);
    float* begin =
        value == kResult ? sums + range.first : values[index] + range.first - first[index];
    return std::span<float>(begin, static_cast<std::size_t>(range.size()));
  };
  std::vector<PlannedRound> bound;
  for (const Round& round : rounds) {
    PlannedRound& planned = bound.emplace_back();
    for (const Addition& each : round.additions) {
      const std::span<float> sum = part(each.sum, each.slices);
      if (sum.empty()) continue;
      PlannedRound::Addition addition{
          each.program, {}, elements_of(each.slices, elements), sum.data()};
      for (const int value : each.addends) {
        addition.addends.push_back(part(value, each.slices).data());
      }
      planned.additions.push_back(std::move(addition));
    }
    for (const Message& each : round.out) {
      const std::span<float> data = part(each.value, each.slices);
      if (!data.empty()) planned.out.push_back({each.peer, std::as_bytes(data)});
    }
    for (const Message& each : round.in) {
      const std::span<float> data = part(each.value, each.slices);
      if (!data.empty()) planned.in.push_back({each.peer, std::as_writable_bytes(data)});
    }
  }
  return bound;
}

}  // namespace lockstep
