#include "data/rows_layout.h"

#include <type_traits>

namespace lockstep {

namespace {

constexpr std::uint64_t kAlignment = 64;
constexpr std::uint64_t kMostFileBytes = std::uint64_t{1} << 62;

static_assert(std::is_trivially_copyable_v<RowsHead>);
static_assert(sizeof(RowsHead) == 8 + 8 + 16 + 7 * 8 + 15 * 8 &&
              sizeof(RowsHead) <= kRowsHeadBytes);

}  // namespace

std::optional<RowsLayout> rows_layout(const RowsSizes& sizes) {
  RowsLayout layout;
  std::uint64_t end = kRowsHeadBytes;
  const auto place = [&](RowsSection& section, std::uint64_t count, std::uint64_t each) {
    if (count == 0 || each == 0) return true;
    if (count > kMostFileBytes / each) return false;
    section = {(end + kAlignment - 1) / kAlignment * kAlignment, count * each};
    end = section.last();
    return end <= kMostFileBytes;
  };
  const bool fits = sizes.has_labels <= 1 && sizes.has_uses <= 1 && sizes.has_ids <= 1 &&
                    sizes.id_bytes <= (sizes.has_ids == 0 ? 0 : kMostFileBytes) &&
                    place(layout.pixels, sizes.rows, sizes.row_bytes) &&
                    place(layout.facts, sizes.facts_bytes, 1) &&
                    place(layout.labels, sizes.rows * sizes.has_labels, sizeof(std::int32_t)) &&
                    place(layout.uses, sizes.rows * sizes.has_uses, 1) &&
                    place(layout.id_ends, sizes.rows * sizes.has_ids, sizeof(std::uint64_t)) &&
                    place(layout.ids, sizes.id_bytes, 1) &&
                    place(layout.digests, sizes.rows, sizeof(Digest));
  if (!fits) return std::nullopt;
  layout.file_bytes = end;
  return layout;
}

Digest rows_digest(const RowsHead& head, std::span<const std::byte> behind_pixels) {
  DigestStream stream;
  stream.add(std::as_bytes(std::span(&head.sizes, 1)));
  stream.add(std::as_bytes(std::span(&head.layout, 1)));
  stream.add(behind_pixels);
  return stream.digest();
}

}  // namespace lockstep
