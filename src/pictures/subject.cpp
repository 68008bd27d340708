#include "lockstep/pictures/subject.h"

#include <algorithm>
#include <cstddef>

namespace lockstep {

namespace {

void find_box(const GreyImage& image, Subject& subject) {
  subject.left = image.width;
  subject.top = image.height;
  const std::uint8_t* pixel = image.pixels.data();
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x, ++pixel) {
      if (4 * subject.contrast(*pixel) < subject.most_contrast) continue;
      subject.left = std::min(subject.left, x);
      subject.right = std::max(subject.right, x + 1);
      subject.top = std::min(subject.top, y);
      subject.bottom = y + 1;
    }
  }
}

}  // namespace

void count_border(const GreyImage& image, LevelCounts& counts) {
  const auto width = static_cast<std::size_t>(image.width);
  const auto height = static_cast<std::size_t>(image.height);
  for (std::size_t y = 0; y < height; ++y) {
    const auto row = image.pixels.subspan(y * width, width);
    // Of a row between the first and the last only the ends.
    const bool whole = y == 0 || y + 1 == height;
    const std::size_t stride = whole || width == 1 ? 1 : width - 1;
    for (std::size_t x = 0; x < width; x += stride) ++counts[row[x]];
  }
}

int median_level(const LevelCounts& counts) {
  std::int64_t total = 0;
  for (const std::int64_t count : counts) total += count;
  std::int64_t below = 0;
  for (std::size_t level = 0; level < counts.size(); ++level) {
    below += counts[level];
    if (below > 0 && 2 * below >= total) return static_cast<int>(level);
  }
  return 0;
}

std::optional<Subject> find_subject(const GreyImage& image, int background) {
  std::int64_t lighter = 0;
  std::int64_t darker = 0;
  int lightest = background;
  int darkest = background;
  for (const int level : image.pixels) {
    const int above = std::max(level - background, 0);
    const int below = std::max(background - level, 0);
    lighter += above * above;
    darker += below * below;
    lightest = std::max(lightest, level);
    darkest = std::min(darkest, level);
  }
  Subject subject;
  subject.background = background;
  subject.side = lighter >= darker ? Subject::Side::kLighter : Subject::Side::kDarker;
  subject.most_contrast =
      subject.side == Subject::Side::kLighter ? lightest - background : background - darkest;
  if (subject.most_contrast < kLeastContrast) return std::nullopt;
  find_box(image, subject);
  return subject;
}

}  // namespace lockstep
