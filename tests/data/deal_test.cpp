#include "data/deal.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace lockstep {

namespace {

using Counts = std::vector<std::int64_t>;

// Quotas by hand: round(0.2 * 17) = 3 of 17; 3 * {10, 5, 2} / 17 =
// {1 + 13/17, 0 + 15/17, 0 + 6/17}.
TEST(ValidationCounts, LargestRemainder) {
  EXPECT_EQ(validation_counts(Counts{10, 5, 2}, 0.2), (Counts{2, 1, 0}));
}

// Quotas of 1.5 each, 6 in all: the lower classes get the odd rows.
TEST(ValidationCounts, TiesGoToTheLowerClass) {
  EXPECT_EQ(validation_counts(Counts{5, 5, 5, 5}, 0.3), (Counts{2, 2, 1, 1}));
}

TEST(ValidationCounts, Ends) {
  EXPECT_EQ(validation_counts(Counts{5, 0, 7}, 0), (Counts{0, 0, 0}));
  EXPECT_EQ(validation_counts(Counts{0, 0}, 0.5), (Counts{0, 0}));
  EXPECT_EQ(validation_counts(Counts{1, 1, 1}, 0.99), (Counts{1, 1, 1}));
}

void expect_whole_deal(const Counts& counts, const ValidationOptions& validation,
                       const Counts& expected_validation) {
  const Deal deal(counts, validation, 11);
  std::vector<int> uses(static_cast<std::size_t>(deal.training_rows()), 0);
  std::int64_t in_validation = 0;
  const Counts groups = validation.stratified ? counts : Counts{997};
  ASSERT_EQ(deal.groups(), groups.size());
  for (std::size_t group = 0; group < groups.size(); ++group) {
    std::int64_t of_group = 0;
    for (const std::int64_t position : deal.positions(group, {0, groups[group]})) {
      if (position < 0) {
        ++of_group;
      } else {
        ++uses.at(static_cast<std::size_t>(position));
      }
    }
    EXPECT_EQ(of_group, expected_validation[group]);
    in_validation += of_group;
  }
  EXPECT_TRUE(std::all_of(uses.begin(), uses.end(), [](int count) { return count == 1; }));
  EXPECT_EQ(in_validation, deal.validation_rows());
  EXPECT_EQ(deal.training_rows() + deal.validation_rows(), 997);
}

// 199 of 997; 199 * {500, 300, 0, 197} / 997 = {99.80, 59.88, 0, 39.32}.
TEST(Deal, EachPositionOnceStratified) {
  expect_whole_deal({500, 300, 0, 197}, {{}, 0.2, true}, {100, 60, 0, 39});
}

TEST(Deal, EachPositionOncePlain) {
  expect_whole_deal({500, 300, 0, 197}, {{}, 0.2, false}, {199});
}

}  // namespace

}  // namespace lockstep
