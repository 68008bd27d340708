#include "parallel/value_routes.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

constexpr int kNever = std::numeric_limits<int>::max() / 4;

std::int64_t place_of(const std::vector<int>& sorted, int member) {
  return std::lower_bound(sorted.begin(), sorted.end(), member) - sorted.begin();
}

bool contains(const std::vector<int>& sorted, int member) {
  return std::binary_search(sorted.begin(), sorted.end(), member);
}

// Both evenly, `a` first where they are level.
std::vector<int> interleaved(const std::vector<int>& a, const std::vector<int>& b) {
  std::vector<int> all;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() || j < b.size()) {
    const bool first =
        j == b.size() || (i < a.size() && (2 * i + 1) * b.size() <= (2 * j + 1) * a.size());
    const int next = first ? a[i++] : b[j++];
    if (std::find(all.begin(), all.end(), next) == all.end()) all.push_back(next);
  }
  return all;
}

}  // namespace

struct ValueRoutes::Trace {
  Visitor& visitor;
  int slice;
  int turn;
  struct Last {
    int node;
    int to;
  };
  std::vector<Last> last;  // what each member sent last
};

ValueRoutes::ValueRoutes(const LaneTree& tree, std::span<const int> owners, int members, int member)
    : member_(member),
      members_(members),
      turns_(std::has_single_bit(static_cast<unsigned>(members)) ? 1 : 2) {
  std::vector<int> partials(static_cast<std::size_t>(members), 0);
  build(tree, tree.root(), owners, partials);
  own_partials_ = partials[static_cast<std::size_t>(member)];
  order_ = order(static_cast<int>(nodes_.size()) - 1);
}

int ValueRoutes::build(const LaneTree& tree, LaneNode node, std::span<const int> owners,
                       std::vector<int>& partials) {
  const Range lanes = tree.lanes_of(node);
  const auto own =
      owners.subspan(static_cast<std::size_t>(lanes.first), static_cast<std::size_t>(lanes.size()));
  Node made;
  made.level = node.level + 1;
  if (std::all_of(own.begin(), own.end(), [&](int each) { return each == own[0]; })) {
    made.members = {own[0]};
    made.costs = {0};
    made.partial = partials[static_cast<std::size_t>(own[0])]++;
  } else if (tree.lanes_of(node.right()).size() == 0) {
    return build(tree, node.left(), owners, partials);
  } else {
    made.left = build(tree, node.left(), owners, partials);
    made.right = build(tree, node.right(), owners, partials);
    std::set_union(at(made.left).members.begin(), at(made.left).members.end(),
                   at(made.right).members.begin(), at(made.right).members.end(),
                   std::back_inserter(made.members));
    for (const int member : made.members) {
      made.costs.push_back(cost(made.left, member) + cost(made.right, member));
    }
    made.least = *std::min_element(made.costs.begin(), made.costs.end());
  }
  nodes_.push_back(std::move(made));
  return static_cast<int>(nodes_.size()) - 1;
}

// Values that travel until `member` has that of the node.
int ValueRoutes::cost(int node, int member) const {
  const Node& of = at(node);
  const int own = contains(of.members, member)
                      ? of.costs[static_cast<std::size_t>(place_of(of.members, member))]
                      : kNever;
  return std::min(own, of.least + 1);
}

bool ValueRoutes::is_added_at(int node, int member) const {
  const Node& of = at(node);
  return contains(of.members, member) &&
         of.costs[static_cast<std::size_t>(place_of(of.members, member))] <= of.least + 1;
}

// Of the members that have the node's value at the least cost the one whose place among them
// is the receiver's among those of the other child; of its parent where it has no lanes there.
int ValueRoutes::sender(int node, int other, int parent, int receiver, int turn) const {
  const Node& of = at(node);
  std::vector<int> able;
  for (std::size_t i = 0; i < of.members.size(); ++i) {
    if (of.costs[i] == of.least) able.push_back(of.members[i]);
  }
  const std::vector<int>& among =
      contains(at(other).members, receiver) ? at(other).members : at(parent).members;
  const auto count = static_cast<std::int64_t>(able.size());
  const std::int64_t place =
      place_of(among, receiver) * count / static_cast<std::int64_t>(among.size());
  return able[static_cast<std::size_t>((place + turn) % count)];
}

// Who finishes the slices of a node's value, so that what one member sends another lies side by
// side.
std::vector<int> ValueRoutes::order(int node) const {
  const Node& of = at(node);
  if (of.left < 0) return of.members;
  return interleaved(order(of.left), order(of.right));
}

// Adds the value of `node` at `member`, and what that needs at others.
void ValueRoutes::add(Trace& trace, int node, int member, std::vector<int>& program) const {
  const Node& of = at(node);
  const bool is_own = member == member_;
  if (of.left < 0) {
    if (is_own) program.push_back(of.partial);
    return;
  }
  for (const int child : {of.left, of.right}) {
    if (is_added_at(child, member)) {
      add(trace, child, member, program);
      continue;
    }
    const int other = child == of.left ? of.right : of.left;
    const int from = sender(child, other, node, member, trace.turn);
    std::vector<int> of_child;
    add(trace, child, from, of_child);
    Trace::Last& last = trace.last[static_cast<std::size_t>(from)];
    if (level(last.node) < level(child)) last = {child, member};
    trace.visitor.on_value(child, from, member, trace.slice, of_child);
    if (is_own) program.push_back(own_partials_ + child);
  }
  if (is_own) program.push_back(kAdd);
}

void ValueRoutes::visit(Visitor& visitor) const {
  for (int slice = 0; slice < slices(); ++slice) {
    const int finisher = order_[static_cast<std::size_t>(slice / turns_)];
    Trace trace{visitor, slice, slice % turns_,
                std::vector<Trace::Last>(static_cast<std::size_t>(members_), {kNoNode, finisher})};
    std::vector<int> program;
    add(trace, static_cast<int>(nodes_.size()) - 1, finisher, program);
    visitor.on_result(finisher, slice, program);
    for (int member = 0; member < members_; ++member) {
      const auto [node, to] = trace.last[static_cast<std::size_t>(member)];
      if (member != finisher) visitor.on_sum(node, to, member, slice);
    }
  }
}

}  // namespace lockstep
