#include "data/row_census.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

namespace lockstep {

namespace {

constexpr std::size_t kBytes = 256;
constexpr std::size_t kFloatSteps = 65536;
constexpr std::size_t kDigestWords = 4;

}  // namespace

RowCensus::RowCensus(const DataOptions& options, PixelType type)
    : shape_(options.shape),
      classes_(static_cast<std::size_t>(options.classes)),
      counts_values_(options.normalization == NormalizationKind::kStandardize ||
                     options.augmentation.needs_mean()),
      first_(type == PixelType::kByte ? 0 : options.range.lowest),
      step_(type == PixelType::kByte
                ? 1
                : (options.range.highest - options.range.lowest) / (kFloatSteps - 1)),
      values_(type == PixelType::kByte ? kBytes : kFloatSteps) {
  const std::size_t counted = counts_values_ ? values_ : 0;
  sums_.resize(2 * classes_ + counted * static_cast<std::size_t>(shape_.channels) + kDigestWords);
}

void RowCensus::add(const FileRows& rows, std::int64_t index, RowUse use) {
  if (use == RowUse::kTest) return;
  const std::size_t first = use == RowUse::kTraining ? 0 : classes_;
  ++sums_[first + static_cast<std::size_t>(rows.label(index))];
  add_digest(rows, index);
  if (use == RowUse::kTraining && counts_values_) add_pixels(rows.row(index));
}

void RowCensus::add_digest(const FileRows& rows, std::int64_t index) {
  constexpr int kUseBits = 32;
  const Digest& pixels = rows.digests[static_cast<std::size_t>(index)];
  const auto use = static_cast<std::uint64_t>(rows.use(index)) << kUseBits;
  const std::array record = {static_cast<std::uint64_t>(rows.first + index),
                             static_cast<std::uint64_t>(rows.label(index)) | use, pixels.high,
                             pixels.low};
  const Digest row = digest_of(std::as_bytes(std::span(record)));
  row_digests_.high += row.high;
  row_digests_.low += row.low;
}

void RowCensus::add_pixels(PixelView pixels) {
  std::int64_t* const counts = sums_.data() + 2 * classes_;
  const auto channels = static_cast<std::size_t>(shape_.channels);
  const auto count = [&](auto values, auto step_of) {
    for (std::size_t i = 0; i < values.size(); i += channels) {
      for (std::size_t c = 0; c < channels; ++c) ++counts[c * values_ + step_of(values[i + c])];
    }
  };
  if (pixels.type == PixelType::kByte) {
    count(pixels.bytes(), [](std::uint8_t value) { return std::size_t{value}; });
    return;
  }
  count(pixels.floats(), [&](float value) {
    const float step = std::round((value - first_) / step_);
    return static_cast<std::size_t>(std::clamp(step, 0.0F, float{kFloatSteps - 1}));
  });
}

void RowCensus::finish(Communicator& comm) {
  // Halves of the digest's words, since sums of whole ones overflow.
  constexpr std::uint64_t kLower = 0xFFFFFFFF;
  const std::array words = {row_digests_.high >> 32, row_digests_.high & kLower,
                            row_digests_.low >> 32, row_digests_.low & kLower};
  const std::size_t first = sums_.size() - kDigestWords;
  for (std::size_t i = 0; i < kDigestWords; ++i) {
    sums_[first + i] = static_cast<std::int64_t>(words[i]);
  }
  comm.sum(sums_);
  const auto word = [&](std::size_t i) { return static_cast<std::uint64_t>(sums_[first + i]); };
  row_digests_ = {(word(0) << 32) + word(1), (word(2) << 32) + word(3)};
}

std::vector<std::int64_t> RowCensus::class_counts(RowUse use) const {
  const auto size = static_cast<std::ptrdiff_t>(classes_);
  const auto first = sums_.begin() + (use == RowUse::kTraining ? 0 : size);
  return {first, first + size};
}

std::vector<ValueCounts> RowCensus::value_counts() const {
  std::vector<ValueCounts> counts;
  if (!counts_values_) return counts;
  auto from = sums_.begin() + static_cast<std::ptrdiff_t>(2 * classes_);
  for (int channel = 0; channel < shape_.channels; ++channel) {
    const auto end = from + static_cast<std::ptrdiff_t>(values_);
    counts.push_back({first_, step_, {from, end}});
    from = end;
  }
  return counts;
}

Digest RowCensus::digest() const {
  const std::array words = {
      row_digests_.high, row_digests_.low, static_cast<std::uint64_t>(shape_.height),
      static_cast<std::uint64_t>(shape_.width), static_cast<std::uint64_t>(shape_.channels)};
  return digest_of(std::as_bytes(std::span(words)));
}

}  // namespace lockstep
