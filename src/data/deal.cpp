#include "data/deal.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lockstep {

std::vector<std::int64_t> validation_counts(std::span<const std::int64_t> class_counts,
                                            double fraction) {
  const auto rows = std::accumulate(class_counts.begin(), class_counts.end(), std::int64_t{0});
  const std::int64_t total = std::llround(fraction * static_cast<double>(rows));
  std::vector<std::int64_t> counts;
  std::vector<std::int64_t> remainders;
  std::int64_t left = total;
  for (const std::int64_t count : class_counts) {
    const auto product = static_cast<__int128>(total) * count;
    counts.push_back(rows == 0 ? 0 : static_cast<std::int64_t>(product / rows));
    remainders.push_back(rows == 0 ? 0 : static_cast<std::int64_t>(product % rows));
    left -= counts.back();
  }
  std::vector<std::size_t> order(counts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return remainders[a] > remainders[b]; });
  for (std::size_t i = 0; i < static_cast<std::size_t>(left); ++i) ++counts[order[i]];
  return counts;
}

Deal::Deal(std::span<const std::int64_t> class_counts, const ValidationOptions& validation,
           std::uint64_t seed) {
  std::vector<std::int64_t> counts(class_counts.begin(), class_counts.end());
  if (!validation.stratified) {
    counts = {std::accumulate(counts.begin(), counts.end(), std::int64_t{0})};
  }
  validation_counts_ = validation_counts(counts, validation.fraction);
  const PhiloxKey key = philox_key(seed, Purpose::kDeal);
  for (std::size_t group = 0; group < counts.size(); ++group) {
    const auto size = static_cast<std::uint64_t>(counts[group]);
    permutations_.emplace_back(size, key, std::array{static_cast<std::uint32_t>(group), 0U, 0U});
    offsets_.push_back(training_rows_ - validation_counts_[group]);
    training_rows_ += counts[group] - validation_counts_[group];
    validation_rows_ += validation_counts_[group];
  }
}

std::vector<std::int64_t> Deal::positions(std::size_t group, Range rows) const {
  std::vector<std::uint64_t> places(static_cast<std::size_t>(rows.size()));
  permutations_[group].images(static_cast<std::uint64_t>(rows.first), places);
  std::vector<std::int64_t> positions;
  positions.reserve(places.size());
  for (const std::uint64_t each : places) {
    const auto place = static_cast<std::int64_t>(each);
    positions.push_back(place < validation_counts_[group] ? -1 : place + offsets_[group]);
  }
  return positions;
}

}  // namespace lockstep
