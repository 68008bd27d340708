// A file of decoded rows, mapped: what `pack` writes, and what the cache keeps. How it is laid
// out: data/rows_layout.h.
//
// Owned by who reads it; const and safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "data/cache_trim.h"
#include "data/row_use.h"
#include "data/rows_facts.h"
#include "data/rows_layout.h"
#include "lockstep/core/digest.h"
#include "lockstep/core/files.h"

namespace lockstep {

// What becomes of a file of which a row turns out damaged: one of the cache is made anew by the
// next start.
enum class Damaged { kKept, kRemoved };

class RowsFile {
 public:
  // Error (2): no such file, or one that is not as it was written. The pixels are looked at
  // where they are asked for.
  explicit RowsFile(const fs::path& path, Damaged damaged = Damaged::kKept);

  static bool recognizes(std::string_view file);

  const std::string& name() const { return name_; }
  const RowsFacts& facts() const { return facts_; }
  std::int64_t rows() const { return static_cast<std::int64_t>(head_.sizes.rows); }
  std::size_t row_bytes() const { return static_cast<std::size_t>(head_.sizes.row_bytes); }
  // Of all but the pixels, whose digests it takes in: two files of one digest are the same.
  const Digest& digest() const { return head_.digest; }
  const RowsLayout& layout() const { return head_.layout; }

  // Of each row, or empty where the file has none.
  std::span<const std::int32_t> labels() const;
  std::span<const RowUse> uses() const;
  bool has_ids() const { return head_.sizes.has_ids != 0; }
  std::string_view id(std::int64_t row) const;
  std::span<const Digest> digests() const;

  // The pixels of row `row`. Error (2) where they are not those that were written.
  std::span<const std::byte> pixels(std::int64_t row) const;

  // Of all rows, one after the other, as they lie there.
  std::span<const std::byte> pixel_bytes() const;

 private:
  template <typename Value>
  std::span<const Value> section(const RowsSection& section) const;

  void check_head();
  void check_columns() const;

  std::string name_;
  Damaged damaged_;
  std::optional<CacheUse> use_;  // of a file that may be removed for another one
  MappedFile file_;
  RowsHead head_;
  RowsFacts facts_;
};

}  // namespace lockstep
