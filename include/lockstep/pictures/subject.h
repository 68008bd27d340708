// What stands out from the background of a grey image.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace lockstep {

struct GreyImage {
  int width = 0;
  int height = 0;
  std::span<const std::uint8_t> pixels;  // [height, width]; not owned
};

// Pixels by level.
using LevelCounts = std::array<std::int64_t, 256>;

// Adds the pixels of the outermost rows and columns.
void count_border(const GreyImage& image, LevelCounts& counts);

// The lower median; 0 where nothing was counted.
int median_level(const LevelCounts& counts);

struct Subject {
  enum class Side { kLighter, kDarker };  // than the background

  int background = 0;  // level
  Side side = Side::kLighter;
  int most_contrast = 0;  // of any pixel
  int left = 0;           // the box around all pixels of at least a quarter of that
  int top = 0;
  int right = 0;   // one past its last column
  int bottom = 0;  // one past its last row

  int width() const { return right - left; }
  int height() const { return bottom - top; }
  // How far a pixel's level lies on the subject's side of the background.
  int contrast(int level) const {
    const int difference = side == Side::kLighter ? level - background : background - level;
    return difference > 0 ? difference : 0;
  }
};

// Its side is the one whose squared differences sum to more. None when no pixel
// there differs by kLeastContrast.
inline constexpr int kLeastContrast = 16;
std::optional<Subject> find_subject(const GreyImage& image, int background);

}  // namespace lockstep
