// How a file of rows is laid out. A head of a page, in which the numbers below stand; the rows'
// pixels, one after the other; then what is known of the rows. All numbers are little-endian, and
// the head follows from few of them: a file that says anything else is refused.
//
// Plain values; any thread.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "lockstep/core/digest.h"

namespace lockstep {

static_assert(std::endian::native == std::endian::little);

// Like PNG's, it does not survive a transfer as text.
inline constexpr std::array<char, 8> kRowsMagic = {'\x89', 'R', 'O', 'W', 'S', '\r', '\n', '\x1a'};
inline constexpr std::uint32_t kRowsVersion = 1;
inline constexpr std::size_t kRowsHeadBytes = 4096;

struct RowsSection {
  std::uint64_t first = 0;  // byte of the file
  std::uint64_t bytes = 0;  // 0 where the file has none

  std::uint64_t last() const { return first + bytes; }
  bool operator==(const RowsSection&) const = default;
};

// What a layout follows from.
struct RowsSizes {
  std::uint64_t rows = 0;
  std::uint64_t row_bytes = 0;
  std::uint64_t facts_bytes = 0;
  std::uint64_t id_bytes = 0;
  std::uint64_t has_labels = 0;  // 0 or 1, as those below
  std::uint64_t has_uses = 0;
  std::uint64_t has_ids = 0;

  bool operator==(const RowsSizes&) const = default;
};

struct RowsLayout {
  RowsSection pixels;   // [rows, row_bytes]
  RowsSection facts;    // JSON
  RowsSection labels;   // [rows] of 32 bits
  RowsSection uses;     // [rows] of 8 bits: a RowUse
  RowsSection id_ends;  // [rows] of 64 bits, counted from the first byte of `ids`
  RowsSection ids;      // one after the other
  RowsSection digests;  // [rows], of each row's pixels: the higher 64 bits, then the lower
  std::uint64_t file_bytes = 0;

  bool operator==(const RowsLayout&) const = default;
};

struct RowsHead {
  std::array<char, 8> magic = kRowsMagic;
  std::uint32_t version = kRowsVersion;
  std::uint32_t unused = 0;
  Digest digest;  // of all that stands behind it but the pixels
  RowsSizes sizes;
  RowsLayout layout;
};

// None where a file cannot be so large.
std::optional<RowsLayout> rows_layout(const RowsSizes& sizes);

// The digest of a head's sizes and layout, and of the bytes behind the pixels.
Digest rows_digest(const RowsHead& head, std::span<const std::byte> behind_pixels);

}  // namespace lockstep
