#include "data/permutation.h"

#include <gtest/gtest.h>

#include <map>
#include <unordered_set>
#include <vector>

namespace lockstep {

namespace {

TEST(Permutation, IsABijection) {
  for (const std::uint64_t size : {1, 2, 3, 4, 5, 16, 17, 63, 64, 65, 997, 4096, 4097, 42000}) {
    const Permutation permutation(size, philox_key(7, Purpose::kDeal), {3, 1, 0});
    std::vector<bool> seen(size, false);
    for (std::uint64_t i = 0; i < size; ++i) {
      const std::uint64_t image = permutation(i);
      ASSERT_LT(image, size);
      ASSERT_FALSE(seen[image]) << "size " << size;
      seen[image] = true;
    }
  }
}

TEST(Permutation, ImagesAreThoseOneByOne) {
  for (const std::uint64_t size : {1, 2, 5, 16, 17, 64, 65, 997, 4097}) {
    const Permutation permutation(size, philox_key(7, Purpose::kDeal), {3, 1, 0});
    for (std::uint64_t first = 0; first < size; first += size / 3 + 1) {
      std::vector<std::uint64_t> images(size - first);
      permutation.images(first, images);
      for (std::size_t i = 0; i < images.size(); ++i) {
        ASSERT_EQ(images[i], permutation(first + i)) << "size " << size;
      }
    }
  }
  Permutation(5, philox_key(7, Purpose::kDeal), {3, 1, 0}).images(5, {});
}

TEST(Permutation, StaysInsideLargeSizes) {
  const std::uint64_t size = (std::uint64_t{1} << 40) - 3;
  const Permutation permutation(size, philox_key(7, Purpose::kDeal), {0, 0, 0});
  std::unordered_set<std::uint64_t> seen;
  std::uint64_t upper_half = 0;
  for (std::uint64_t i = 0; i < 10000; ++i) {
    const std::uint64_t image = permutation(i);
    ASSERT_LT(image, size);
    EXPECT_TRUE(seen.insert(image).second);
    if (image >= size / 2) ++upper_half;
  }
  EXPECT_NEAR(static_cast<double>(upper_half), 5000, 250);  // 5 deviations of a fair coin
}

// All 24 orders of 4 things come up about equally often over seeds.
TEST(Permutation, AllOrdersAreLikely) {
  constexpr int kSeeds = 24000;
  std::map<std::vector<std::uint64_t>, int> counts;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const Permutation permutation(4, philox_key(seed, Purpose::kLaneOrder), {0, 0, 0});
    ++counts[{permutation(0), permutation(1), permutation(2), permutation(3)}];
  }
  ASSERT_EQ(counts.size(), 24U);
  double chi_square = 0;
  for (const auto& [order, count] : counts)
    chi_square += (count - 1000.0) * (count - 1000.0) / 1000;
  EXPECT_LT(chi_square, 60);  // 23 degrees of freedom: exceeded once in 30,000
}

// Each row of a class is as likely as any to be in the validation part.
TEST(Permutation, FirstPlacesAreFair) {
  constexpr std::uint64_t kSize = 50;
  constexpr int kSeeds = 20000;
  std::vector<int> first_ten(kSize, 0);
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const Permutation permutation(kSize, philox_key(seed, Purpose::kDeal), {5, 0, 0});
    for (std::uint64_t i = 0; i < kSize; ++i) {
      if (permutation(i) < 10) ++first_ten[i];
    }
  }
  for (const int count : first_ten) EXPECT_NEAR(count, kSeeds / 5, 5 * 57);  // 5 deviations
}

TEST(Permutation, DependsOnKeyAndStream) {
  const auto order = [](std::uint64_t seed, std::array<std::uint32_t, 3> stream) {
    const Permutation permutation(97, philox_key(seed, Purpose::kDeal), stream);
    std::vector<std::uint64_t> images;
    for (std::uint64_t i = 0; i < 97; ++i) images.push_back(permutation(i));
    return images;
  };
  EXPECT_EQ(order(1, {0, 0, 0}), order(1, {0, 0, 0}));
  EXPECT_NE(order(1, {0, 0, 0}), order(2, {0, 0, 0}));
  EXPECT_NE(order(1, {0, 0, 0}), order(1, {1, 0, 0}));
  EXPECT_NE(order(1, {0, 0, 0}), order(1, {0, 1, 0}));
  EXPECT_NE(order(1, {0, 0, 0}), order(1, {0, 0, 1}));
}

}  // namespace

}  // namespace lockstep
