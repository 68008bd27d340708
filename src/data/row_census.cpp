#include "data/row_census.h"

#include <algorithm>
#include <span>

namespace lockstep {

namespace {

constexpr std::size_t kValues = 256;
constexpr std::size_t kDigestWords = 4;

}  // namespace

RowCensus::RowCensus(const DataOptions& options)
    : shape_(options.shape),
      classes_(static_cast<std::size_t>(options.classes)),
      normalization_(options.normalization),
      sums_(2 * classes_ + kValues * static_cast<std::size_t>(shape_.channels) + kDigestWords) {}

void RowCensus::add(const FileRows& rows, std::int64_t index, Split split) {
  const std::size_t first = split == Split::kTraining ? 0 : classes_;
  ++sums_[first + static_cast<std::size_t>(rows.label(index))];
  add_digest(rows, index);
  if (split == Split::kTraining && normalization_ == NormalizationKind::kStandardize) {
    add_pixels(rows.row(index));
  }
}

void RowCensus::add_digest(const FileRows& rows, std::int64_t index) {
  const Digest& pixels = rows.digests[static_cast<std::size_t>(index)];
  const std::array record = {static_cast<std::uint64_t>(rows.first + index),
                             static_cast<std::uint64_t>(rows.label(index)), pixels.high,
                             pixels.low};
  const Digest row = digest_of(std::as_bytes(std::span(record)));
  row_digests_.high += row.high;
  row_digests_.low += row.low;
}

void RowCensus::add_pixels(const std::uint8_t* pixels) {
  std::int64_t* const counts = sums_.data() + 2 * classes_;
  const auto channels = static_cast<std::size_t>(shape_.channels);
  const auto size = static_cast<std::size_t>(shape_.pixels());
  for (std::size_t i = 0; i < size; i += channels) {
    for (std::size_t c = 0; c < channels; ++c) ++counts[c * kValues + pixels[i + c]];
  }
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

std::vector<std::int64_t> RowCensus::class_counts(Split split) const {
  const auto size = static_cast<std::ptrdiff_t>(classes_);
  const auto first = sums_.begin() + (split == Split::kTraining ? 0 : size);
  return {first, first + size};
}

std::vector<std::array<std::int64_t, 256>> RowCensus::pixel_counts() const {
  std::vector<std::array<std::int64_t, kValues>> counts(static_cast<std::size_t>(shape_.channels));
  const std::int64_t* from = sums_.data() + 2 * classes_;
  for (auto& channel : counts) {
    std::copy_n(from, kValues, channel.begin());
    from += kValues;
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
