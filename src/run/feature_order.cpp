#include "run/feature_order.h"

#include <algorithm>
#include <iterator>
#include <variant>

namespace lockstep {

namespace {

bool is_turned(const FeatureBlock& block) { return block.pixels > 1 && block.channels > 1; }

std::int64_t size_of(const FeatureOrder& order) {
  std::int64_t size = 0;
  for (const FeatureBlock& block : order) size += block.size();
  return size;
}

// Finds the orders as the types of an expression are found: those of dense layers' outputs are
// open until they meet others.
class Finder {
 public:
  explicit Finder(const Graph& graph) : graph_(graph), orders_(graph.values.size()) {
    orders_.front() = {{.channels = graph.values.front().channels}};
  }

  std::vector<FeatureOrder> find() {
    for (const Primitive& primitive : graph_.primitives) {
      std::visit([&](const auto& work) { of(primitive.out) = order_of(work, primitive); },
                 primitive.work);
    }
    for (FeatureOrder& order : orders_) {
      order = known(order);
      for (FeatureBlock& block : order) block.open.reset();
    }
    return std::move(orders_);
  }

 private:
  FeatureOrder& of(ValueId id) { return orders_[static_cast<std::size_t>(id)]; }

  template <typename Work>
  FeatureOrder order_of(const Work& /*work*/, const Primitive& primitive) {
    return of(primitive.in.front());
  }

  FeatureOrder order_of(const ConvOp& /*conv*/, const Primitive& primitive) {
    return {{.channels = graph_.shape(primitive.out).channels}};
  }

  FeatureOrder order_of(const DenseOp& /*dense*/, const Primitive& primitive) {
    return {opened(graph_.shape(primitive.out).channels)};
  }

  FeatureOrder order_of(const FlattenOp& /*flatten*/, const Primitive& primitive) {
    const ImageShape& image = graph_.shape(primitive.in.front());
    const FeatureBlock block{std::int64_t{image.height} * image.width, image.channels};
    if (is_turned(block)) return {block};
    return block.pixels > 1 ? FeatureOrder{{.channels = block.pixels}} : of(primitive.in.front());
  }

  FeatureOrder order_of(const AddOp& /*sum*/, const Primitive& primitive) {
    return met(of(primitive.in[0]), of(primitive.in[1]));
  }

  FeatureOrder order_of(const MultiplyOp& /*product*/, const Primitive& primitive) {
    return met(of(primitive.in[0]), of(primitive.in[1]));
  }

  FeatureOrder order_of(const JoinOp& /*join*/, const Primitive& primitive) {
    FeatureOrder joined;
    for (const ValueId in : primitive.in) {
      joined.insert(joined.end(), of(in).begin(), of(in).end());
    }
    return joined;
  }

  FeatureBlock opened(std::int64_t size) {
    found_.emplace_back();
    return {.channels = size, .open = found_.size() - 1};
  }

  // With what has been found of open blocks.
  FeatureOrder known(const FeatureOrder& order) const {
    FeatureOrder result;
    for (const FeatureBlock& block : order) {
      if (!block.open || found_[*block.open].empty()) {
        result.push_back(block);
        continue;
      }
      const FeatureOrder inner = known(found_[*block.open]);
      result.insert(result.end(), inner.begin(), inner.end());
    }
    return result;
  }

  // Of two values, feature by feature; what is open in one gets the other's order.
  FeatureOrder met(const FeatureOrder& a, const FeatureOrder& b) {
    FeatureOrder left = known(a);
    FeatureOrder right = known(b);
    for (std::size_t i = 0; i < left.size() && i < right.size(); ++i) {
      const std::int64_t size = std::min(left[i].size(), right[i].size());
      if (!cut(left, i, size) || !cut(right, i, size) || !join(left[i], right[i])) {
        return {{.channels = size_of(a), .mixed = true}};
      }
    }
    return known(left);
  }

  // Cuts a block of the order so that it has this size, where that can be.
  bool cut(FeatureOrder& order, std::size_t at, std::int64_t size) {
    const FeatureBlock whole = order[at];
    if (whole.size() == size) return true;
    if (is_turned(whole)) return false;
    FeatureBlock first = whole;
    FeatureBlock rest = whole;
    if (whole.open) {
      first = opened(size);
      rest = opened(whole.size() - size);
      found_[*whole.open] = {first, rest};
    }
    first.channels = size;
    rest.channels = whole.size() - size;
    order[at] = first;
    order.insert(order.begin() + static_cast<std::ptrdiff_t>(at) + 1, rest);
    return true;
  }

  // Of the same size; false: their orders differ.
  bool join(const FeatureBlock& a, const FeatureBlock& b) {
    if (a == b) return true;
    if (!a.open && !b.open) return false;
    const bool later_is_a = a.open && (!b.open || *a.open > *b.open);
    const FeatureBlock& later = later_is_a ? a : b;
    found_[*later.open] = {later_is_a ? b : a};
    return true;
  }

  const Graph& graph_;
  std::vector<FeatureOrder> orders_;  // by value
  std::vector<FeatureOrder> found_;   // by open block; empty: not yet
};

}  // namespace

std::vector<FeatureOrder> find_feature_orders(const Graph& graph) { return Finder(graph).find(); }

bool is_same_in_both(const FeatureOrder& order) {
  return std::none_of(order.begin(), order.end(), is_turned) && !is_mixed(order);
}

bool is_mixed(const FeatureOrder& order) {
  return std::any_of(order.begin(), order.end(),
                     [](const FeatureBlock& block) { return block.mixed; });
}

bool keeps_groups(const FeatureOrder& order, std::int64_t group_size) {
  std::int64_t first = 0;
  for (const FeatureBlock& block : order) {
    const std::int64_t next = first + block.size();
    if (is_turned(block) && first / group_size != (next - 1) / group_size) return false;
    first = next;
  }
  return !is_mixed(order);
}

std::vector<std::size_t> places_there(const FeatureOrder& order) {
  std::vector<std::size_t> places;
  for (const FeatureBlock& block : order) {
    const std::size_t first = places.size();
    const auto pixels = static_cast<std::size_t>(block.pixels);
    const auto channels = static_cast<std::size_t>(block.channels);
    for (std::size_t p = 0; p < pixels; ++p) {
      for (std::size_t c = 0; c < channels; ++c) places.push_back(first + c * pixels + p);
    }
  }
  return places;
}

}  // namespace lockstep
