// The sum over lanes in device memory: the same bits as the CPU's, at every number of
// ranks.

#include <gtest/gtest.h>

#include "gpu/device_memory.h"
#include "gpu/device_sum.h"
#include "gpu/test_accelerator.h"
#include "lockstep/parallel/lane_sum.h"
#include "support/rank_test.h"

namespace lockstep {
namespace {

constexpr std::int64_t kSize = 10007;

// Numbers whose sum depends on the order of additions.
float value_of(std::int64_t lane, std::int64_t i) {
  const auto mixed = static_cast<std::uint32_t>(lane * 7919 + i * 104729 + 13);
  return (static_cast<float>(mixed % 2003) - 1001) / 997 * (mixed % 5 == 0 ? 1e4F : 1.0F);
}

std::vector<float> values_of(std::int64_t lane) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < kSize; ++i) values.push_back(value_of(lane, i));
  return values;
}

LaneSumShape shape_of(int lanes, Wire wire) {
  return {.lanes = lanes, .size = kSize, .normed_size = kSize - 100, .workers = 1, .wire = wire};
}

std::vector<float> sum_on_cpu(int lanes, Wire wire) {
  const auto self = connect_self();
  const auto sum = make_lane_sum(*self, shape_of(lanes, wire), Reduction::kOrdered);
  for (int lane = 0; lane < lanes; ++lane) {
    const std::vector<float> values = values_of(lane);
    std::copy(values.begin(), values.end(), sum->lane(lane).begin());
  }
  sum->run(0);
  return {sum->values().begin(), sum->values().end()};
}

// Counts what goes to other ranks.
class CountingTransport final : public Transport {
 public:
  explicit CountingTransport(Transport& of) : of_(of) {}

  int rank() const override { return of_.rank(); }
  int world_size() const override { return of_.world_size(); }
  void exchange(std::span<const Outgoing> out, std::span<const Incoming> in) override {
    for (const Outgoing& each : out) bytes += each.peer == rank() ? 0 : each.data.size();
    of_.exchange(out, in);
  }
  void native_sum(std::span<float> values) override { of_.native_sum(values); }

  std::size_t bytes = 0;

 private:
  Transport& of_;
};

std::vector<float> sum_on_device(Communicator& comm, int lanes, Reduction reduction,
                                 Wire wire = Wire::kFp32) {
  Accelerator& accelerator = test_accelerator();
  accelerator.load_kernels(Precision::kFp32);
  const auto transport = accelerator.connect(comm);
  DeviceSum sum(accelerator, *transport, shape_of(lanes, wire), reduction);
  for (int round = 0; round < 2; ++round) {
    const Range owned = sum.owned_lanes();
    for (std::int64_t lane = owned.first; lane < owned.last; ++lane) {
      view_of(accelerator, sum.lane(lane)).copy_(on_device(accelerator, values_of(lane)));
    }
    sum.run();
    accelerator.wait();
  }
  return on_host(view_of(accelerator, sum.values()));
}

TEST(DeviceSum, OrderedSumHasTheBitsOfTheCpus) {
  for (int lanes = test_comm().world_size(); lanes <= 9; ++lanes) {
    for (const Wire wire : {Wire::kFp32, Wire::kBf16}) {
      EXPECT_EQ(sum_on_device(test_comm(), lanes, Reduction::kOrdered, wire),
                sum_on_cpu(lanes, wire))
          << lanes << (wire == Wire::kBf16 ? " lanes as bf16" : " lanes");
    }
  }
}

// Of all ranks.
double bytes_of_sum(Communicator& comm, Wire wire) {
  Accelerator& accelerator = test_accelerator();
  accelerator.load_kernels(Precision::kFp32);
  const auto transport = accelerator.connect(comm);
  CountingTransport counting(*transport);
  DeviceSum sum(accelerator, counting, shape_of(8, wire), Reduction::kOrdered);
  sum.run();
  accelerator.wait();
  double all = 0;
  for (const std::size_t each : gather_values(comm, counting.bytes)) {
    all += static_cast<double>(each);
  }
  return all;
}

TEST(DeviceSum, GradientsTravelAsTheWire) {
  const double as_fp32 = bytes_of_sum(test_comm(), Wire::kFp32);
  const double as_bf16 = bytes_of_sum(test_comm(), Wire::kBf16);
  // Of 10007 elements the last 100 are not gradients.
  EXPECT_NEAR(as_bf16, as_fp32 * (9907 * 2 + 100 * 4) / (10007 * 4), as_fp32 / 100);
}

TEST(DeviceSum, NativeSumIsNear) {
  const std::vector<float> sum = sum_on_device(test_comm(), 7, Reduction::kNative);
  const std::vector<float> expected = sum_on_cpu(7, Wire::kFp32);
  for (std::size_t i = 0; i < sum.size(); ++i) ASSERT_NEAR(sum[i], expected[i], 0.02) << i;
}

}  // namespace
}  // namespace lockstep
