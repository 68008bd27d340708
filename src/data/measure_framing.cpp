#include "lockstep/data/measure_framing.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>
#include <span>

#include "lockstep/pictures/subject.h"

namespace lockstep {

namespace {

constexpr int kNearLevels = 16;

// Calls `see` with each training row held here.
void each_row(const TrainingData& data, const ImageShape& shape,
              const std::function<void(const GreyImage&)>& see) {
  const Range lanes = data.owned_lanes();
  for (auto lane = static_cast<int>(lanes.first); lane < lanes.last; ++lane) {
    for (std::int64_t slot = 0; slot < data.lane_size(lane); ++slot) {
      const TrainingRow row = data.lane_row(lane, slot);
      see({shape.width, shape.height, row.levels});
    }
  }
}

// Whether 3 of 4 are within kNearLevels of `level`.
bool mostly_near(const LevelCounts& counts, int level) {
  std::int64_t near = 0;
  for (int each = std::max(level - kNearLevels, 0); each <= std::min(level + kNearLevels, 255);
       ++each) {
    near += counts[static_cast<std::size_t>(each)];
  }
  return 4 * near >= 3 * std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

// Sums over the rows whose subject is on one side of the background.
struct SideSums {
  std::int64_t rows = 0;
  std::int64_t most_contrast = 0;
  std::int64_t longer_side = 0;
};

}  // namespace

Framing measure_framing(Communicator& comm, const TrainingData& data, const ImageShape& shape) {
  Framing framing;
  if (shape.channels != 1) return framing;
  LevelCounts border{};
  each_row(data, shape, [&](const GreyImage& image) { count_border(image, border); });
  comm.sum(border);
  const int background = median_level(border);
  if (!mostly_near(border, background)) return framing;

  std::array<SideSums, 2> sides;  // by Subject::Side
  each_row(data, shape, [&](const GreyImage& image) {
    const std::optional<Subject> subject = find_subject(image, background);
    if (!subject) return;
    SideSums& sums = sides[static_cast<std::size_t>(subject->side)];
    ++sums.rows;
    sums.most_contrast += subject->most_contrast;
    sums.longer_side += std::max(subject->width(), subject->height());
  });
  for (SideSums& sums : sides) {
    std::array values = {sums.rows, sums.most_contrast, sums.longer_side};
    comm.sum(values);
    sums = {values[0], values[1], values[2]};
  }
  const bool lighter = sides[0].rows >= sides[1].rows;
  const SideSums& sums = lighter ? sides[0] : sides[1];
  if (sums.rows == 0) return framing;
  const auto rows = static_cast<double>(sums.rows);
  const double contrast = static_cast<double>(sums.most_contrast) / rows;
  framing.framed = true;
  framing.background = background;
  framing.foreground = background + (lighter ? contrast : -contrast);
  framing.longer_side_pixels = static_cast<double>(sums.longer_side) / rows;
  return framing;
}

}  // namespace lockstep
