#include "lockstep/parallel/buckets.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "parallel/networks.h"

namespace lockstep {
namespace {

constexpr int kTail = 16;

Buckets buckets_of(const Network& network, int bucket_bytes, Wire wire = Wire::kFp32) {
  ParallelOptions options;
  options.bucket_bytes = bucket_bytes;
  options.wire = wire;
  return {network, options, network.changing_size() + kTail};
}

// All elements once: gradients from the last to the first, then the rest.
void expect_covers(const Network& network, const Buckets& buckets) {
  std::int64_t end = network.trainable_size();
  for (std::size_t i = 0; i + 1 < buckets.elements.size(); ++i) {
    EXPECT_EQ(buckets.elements[i].last, end);
    EXPECT_GT(buckets.elements[i].size(), 0);
    end = buckets.elements[i].first;
  }
  EXPECT_EQ(end, 0);
  EXPECT_EQ(buckets.elements.back(),
            (Range{network.trainable_size(), network.changing_size() + kTail}));
}

TEST(Buckets, CoverAllElementsOnce) {
  const Network network = samples::full_network();
  for (const int bytes : {4, 100, 1000}) {
    SCOPED_TRACE(bytes);
    const Buckets buckets = buckets_of(network, bytes);
    ASSERT_GT(buckets.elements.size(), 2U);
    expect_covers(network, buckets);
    for (std::size_t i = 0; i + 1 < buckets.elements.size(); ++i) {
      EXPECT_LE(buckets.elements[i].size(),
                std::max<std::int64_t>(bytes, network.trainable_size() * 4 / 64));
    }
  }
}

// A bucket is told as written after the op of each of its parameters, and no earlier than those
// before it.
TEST(Buckets, AreWrittenAfterTheirOps) {
  const Network network = samples::full_network();
  const Buckets buckets = buckets_of(network, 400);
  ASSERT_EQ(buckets.written.size(), network.plan().size());
  EXPECT_TRUE(std::is_sorted(buckets.written.rbegin(), buckets.written.rend()));
  EXPECT_EQ(buckets.written.front(), static_cast<int>(buckets.elements.size()) - 1);
  for (std::size_t op = 0; op < network.plan().size(); ++op) {
    std::int64_t written_from = network.trainable_size();
    if (buckets.written[op] > 0) {
      written_from = buckets.elements[static_cast<std::size_t>(buckets.written[op]) - 1].first;
    }
    // What an earlier op of the plan writes later is not among them.
    for (std::size_t earlier = 0; earlier < op; ++earlier) {
      const auto parameters =
          std::visit([](const auto& work) { return ParameterIds(work.parameters()); },
                     network.plan()[earlier].work);
      for (const ParameterId id : parameters) {
        EXPECT_LE(network.graph().parameter(id).range.last, written_from);
      }
    }
  }
}

TEST(Buckets, OfLittleAreOne) {
  const Network network = samples::full_network();
  const std::int64_t size = network.changing_size() + kTail;
  using Ranges = std::vector<Range>;
  EXPECT_EQ(buckets_of(network, 0).elements, (Ranges{{0, size}}));
  EXPECT_EQ(buckets_of(network, 1 << 30).elements, (Ranges{{0, size}}));
  // What does not travel as bf16 is by itself.
  EXPECT_EQ(buckets_of(network, 0, Wire::kBf16).elements,
            (Ranges{{0, network.trainable_size()}, {network.trainable_size(), size}}));
}

}  // namespace
}  // namespace lockstep
