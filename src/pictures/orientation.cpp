#include "pictures/orientation.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace lockstep {

namespace {

using namespace std::string_view_literals;

enum class ByteOrder { kBig, kLittle };

// The number of `bytes` bytes at `place`; 0 beyond the end.
std::uint32_t number_at(std::string_view text, std::size_t place, std::size_t bytes,
                        ByteOrder order) {
  if (place > text.size() || text.size() - place < bytes) return 0;
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    const std::size_t at = order == ByteOrder::kBig ? i : bytes - 1 - i;
    number = number << 8 | static_cast<std::uint8_t>(text[place + at]);
  }
  return number;
}

// The first EXIF data before the pixels, without their six first bytes.
std::string_view exif_of(std::string_view file) {
  constexpr auto kExif = "Exif\0\0"sv;
  std::size_t place = 2;
  while (place + 4 <= file.size() && file[place] == '\xff') {
    const auto marker = static_cast<std::uint8_t>(file[place + 1]);
    if (marker == 0xff) {  // fills
      ++place;
      continue;
    }
    if (marker == 0xda || marker == 0xd9) break;  // the pixels, the end
    const std::size_t bytes = number_at(file, place + 2, 2, ByteOrder::kBig);
    if (bytes < 2) break;
    const std::string_view content = file.substr(place + 4).substr(0, bytes - 2);
    if (marker == 0xe1 && content.starts_with(kExif)) return content.substr(kExif.size());
    place += 2 + bytes;
  }
  return {};
}

std::optional<ByteOrder> order_of(std::string_view exif) {
  if (exif.starts_with("II*\0"sv)) return ByteOrder::kLittle;
  if (exif.starts_with("MM\0*"sv)) return ByteOrder::kBig;
  return std::nullopt;
}

}  // namespace

int orientation_of(std::string_view jpeg_file) {
  constexpr std::uint32_t kOrientation = 0x112;
  constexpr std::uint32_t kShort = 3;
  const std::string_view exif = exif_of(jpeg_file);
  const auto order = order_of(exif);
  if (!order) return 1;
  const std::size_t table = number_at(exif, 4, 4, *order);
  const std::uint32_t count = number_at(exif, table, 2, *order);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t entry = table + 2 + 12 * std::size_t{i};
    if (entry + 12 > exif.size()) return 1;
    if (number_at(exif, entry, 2, *order) != kOrientation) continue;
    const bool is_one_short = number_at(exif, entry + 2, 2, *order) == kShort &&
                              number_at(exif, entry + 4, 4, *order) == 1;
    const std::uint32_t value = number_at(exif, entry + 8, 2, *order);
    return is_one_short && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

ReducedPicture upright(ReducedPicture reduced, int orientation) {
  if (orientation == 1) return reduced;
  const Picture& from = reduced.picture;
  const bool swaps = swaps_sides(orientation);
  // Whether the file's columns run from the picture's end, and its rows.
  const bool columns_back = orientation == 2 || orientation == 3 || orientation >= 7;
  const bool rows_back =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Picture to{from.width, from.height, from.channels, {}};
  if (swaps) std::swap(to.width, to.height);
  to.pixels.resize(from.pixels.size());
  std::uint8_t* next = to.pixels.data();
  for (int y = 0; y < to.height; ++y) {
    for (int x = 0; x < to.width; ++x) {
      int column = swaps ? y : x;
      int row = swaps ? x : y;
      if (columns_back) column = from.width - 1 - column;
      if (rows_back) row = from.height - 1 - row;
      const std::size_t pixel =
          static_cast<std::size_t>(row) * static_cast<std::size_t>(from.width) +
          static_cast<std::size_t>(column);
      next = std::copy_n(from.pixels.data() + pixel * static_cast<std::size_t>(from.channels),
                         from.channels, next);
    }
  }
  // What reached beyond the whole picture at its end may do so at its beginning now.
  const Reduction& was = reduced.reduction;
  Reduction now = was;
  const int right = columns_back ? from.width * was.factor - was.width : 0;
  const int below = rows_back ? from.height * was.factor - was.height : 0;
  now.left = swaps ? below : right;
  now.top = swaps ? right : below;
  if (swaps) std::swap(now.width, now.height);
  return {std::move(to), now};
}

}  // namespace lockstep
