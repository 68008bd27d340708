#include "lockstep/parallel/buckets.h"

#include <algorithm>
#include <limits>
#include <variant>

namespace lockstep {

namespace {

constexpr std::int64_t kMostBuckets = 64;
constexpr std::int64_t kLargest = 4;  // times the least size: larger ones are cut

// A trainable parameter, and the op that writes its gradient.
struct Written {
  Range range;
  std::size_t op;
};

std::vector<Written> trained_parameters(const Network& network) {
  std::vector<Written> all;
  for (std::size_t op = 0; op < network.plan().size(); ++op) {
    const auto parameters = std::visit(
        [](const auto& work) { return ParameterIds(work.parameters()); }, network.plan()[op].work);
    for (const ParameterId id : parameters) {
      const Range range = network.graph().parameter(id).range;
      if (range.last <= network.trainable_size()) all.push_back({range, op});
    }
  }
  std::sort(all.begin(), all.end(),
            [](const Written& a, const Written& b) { return a.range.first > b.range.first; });
  return all;
}

}  // namespace

Buckets::Buckets(const Network& network, const ParallelOptions& options, std::int64_t size)
    : written(network.plan().size(), 0) {
  const std::int64_t trainable = network.trainable_size();
  const std::int64_t floats =
      std::max<std::int64_t>(options.bucket_bytes / sizeof(float), trainable / kMostBuckets);
  if (options.bucket_bytes == 0 || trainable < 2 * floats) {
    elements = {{0, size}};
    if (options.wire != Wire::kFp32) elements = {{0, trainable}, {trainable, size}};
    return;
  }
  std::vector<std::size_t> first_ops;  // by bucket: after it all are written
  std::int64_t end = trainable;
  std::size_t first_op = std::numeric_limits<std::size_t>::max();
  for (const Written& each : trained_parameters(network)) {
    first_op = std::min(first_op, each.op);
    const std::int64_t begin = each.range.first;
    // What would be left is too little for one of its own.
    if (begin > 0 && (end - begin < floats || begin < floats)) continue;
    const std::int64_t pieces = (end - begin + kLargest * floats - 1) / (kLargest * floats);
    for (std::int64_t piece = pieces; piece-- > 0;) {
      const Range share = share_of(end - begin, pieces, piece);
      elements.push_back({begin + share.first, begin + share.last});
      first_ops.push_back(first_op);
    }
    end = begin;
  }
  elements.push_back({trainable, size});
  // Buckets are told in order: one counts as written when those before it are.
  for (std::size_t op = 0; op < written.size(); ++op) {
    while (written[op] < static_cast<int>(first_ops.size()) &&
           first_ops[static_cast<std::size_t>(written[op])] >= op) {
      ++written[op];
    }
  }
}

}  // namespace lockstep
