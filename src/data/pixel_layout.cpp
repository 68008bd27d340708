#include "data/pixel_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace lockstep {

namespace {

constexpr std::int64_t kMostRows = 1000;
constexpr std::int64_t kMostPixels = 4 << 20;
// Of fewer, noise may be smoother in another layout by chance.
constexpr std::int64_t kFewestPixels = 2000;

struct Layout {
  ImageShape shape;
  bool planar;
};

// The first is the one that is read.
std::vector<Layout> layouts_of(const ImageShape& shape) {
  const ImageShape turned = {shape.width, shape.height, shape.channels};
  std::vector<Layout> layouts;
  for (const bool planar : {false, true}) {
    if (planar && shape.channels == 1) continue;
    layouts.push_back({shape, planar});
    if (turned != shape) layouts.push_back({turned, planar});
  }
  return layouts;
}

// Sums of the differences between neighbours. The layouts of a shape have equally many.
struct Variation {
  std::int64_t horizontal = 0;
  std::int64_t vertical = 0;
};

Variation variation_of(const std::uint8_t* pixels, const Layout& layout) {
  const auto& [shape, planar] = layout;
  const int step = planar ? 1 : shape.channels;
  const int line = step * shape.width;
  const int channel = planar ? shape.width * shape.height : 1;
  Variation sum;
  for (int c = 0; c < shape.channels; ++c) {
    for (int y = 0; y < shape.height; ++y) {
      const std::uint8_t* const row = pixels + c * channel + y * line;
      for (int x = 0; x < shape.width; ++x) {
        const std::uint8_t* const at = row + x * step;
        if (x + 1 < shape.width) sum.horizontal += std::abs(at[0] - at[step]);
        if (y + 1 < shape.height) sum.vertical += std::abs(at[0] - at[line]);
      }
    }
  }
  return sum;
}

// Vertical neighbours decide: the horizontal ones of grey pixels in three channels are
// alike as planes too, and those of turned images are the same but for the ends of lines.
bool is_clearly_smoother(const Variation& other, const Variation& read) {
  constexpr double kVertical = 0.8;
  constexpr double kHorizontal = 1.1;
  return static_cast<double>(other.vertical) < kVertical * static_cast<double>(read.vertical) &&
         static_cast<double>(other.horizontal) <=
             kHorizontal * static_cast<double>(read.horizontal);
}

std::string doubt_text(const Layout& layout, const ImageShape& read) {
  const bool turned = layout.shape != read;
  return fmt::format(
      "the images are much smoother {}{}{}; they are read as {}x{}x{}, row after row, the channels "
      "of a pixel side by side: is that how they are stored?",
      turned ? fmt::format("as {}x{}", layout.shape.height, layout.shape.width) : "",
      turned && layout.planar ? ", " : "", layout.planar ? "with a plane for each channel" : "",
      read.height, read.width, read.channels);
}

}  // namespace

std::string layout_doubt(Communicator& comm, const FileRows& rows, const DataOptions& options) {
  const ImageShape& shape = options.shape;
  const std::vector<Layout> layouts = layouts_of(shape);
  if (layouts.size() == 1) return {};
  const std::int64_t most = std::clamp<std::int64_t>(kMostPixels / shape.pixels(), 1, kMostRows);
  const std::int64_t taken = std::min(rows.count, most / comm.world_size() + 1);
  std::vector<std::int64_t> sums(2 * layouts.size() + 1);
  for (std::int64_t i = 0; i < taken; ++i) {
    const std::vector<std::uint8_t> row =
        levels_of(rows.row(i * rows.count / taken), options.range);
    for (std::size_t k = 0; k < layouts.size(); ++k) {
      const Variation of_row = variation_of(row.data(), layouts[k]);
      sums[2 * k] += of_row.horizontal;
      sums[2 * k + 1] += of_row.vertical;
    }
  }
  sums.back() = taken;
  comm.sum(sums);
  if (sums.back() * shape.pixels() < kFewestPixels) return {};
  const auto sum_of = [&](std::size_t k) { return Variation{sums[2 * k], sums[2 * k + 1]}; };
  std::size_t best = 0;
  for (std::size_t k = 1; k < layouts.size(); ++k) {
    const bool clear = is_clearly_smoother(sum_of(k), sum_of(0));
    if (clear && sum_of(k).vertical < sum_of(best).vertical) best = k;
  }
  return best == 0 ? std::string() : doubt_text(layouts[best], shape);
}

}  // namespace lockstep
