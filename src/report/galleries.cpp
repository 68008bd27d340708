#include "report/galleries.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/text.h"

namespace lockstep {

namespace {

constexpr double kCell = 118;
constexpr double kCellHeight = 138;
constexpr double kImage = 96;
constexpr double kTop = 36;
constexpr double kMargin = 14;
constexpr int kColumns = 8;
constexpr Colour kText{Ink::kText};
constexpr Colour kMuted{Ink::kMuted};

const std::string& name_of(const std::vector<std::string>& names, int index) {
  return names[static_cast<std::size_t>(index)];
}

// The image in a square of `side`, in its own proportions.
void add_picture(Drawing& to, Point corner, double side, const Picture& image) {
  const double scale = side / std::max(image.width, image.height);
  const double width = scale * image.width;
  const double height = scale * image.height;
  to.add(PlacedPicture{
      {corner.x + (side - width) / 2, corner.y + (side - height) / 2}, width, height, image});
}

void add_prediction(Drawing& to, Point corner, const PredictedRow& row,
                    const std::vector<std::string>& names) {
  const bool wrong = row.truth != row.predicted;
  if (wrong) {
    to.add(Box{{corner.x - 3, corner.y - 3}, kImage + 6, kImage + 6, {Ink::kBad}, 1, ""});
  }
  add_picture(to, corner, kImage, row.image);
  const std::string line = wrong ? fmt::format("{} → {}", shortened(name_of(names, row.truth), 7),
                                               shortened(name_of(names, row.predicted), 7))
                                 : shortened(name_of(names, row.truth), 15);
  to.add(Label{{corner.x, corner.y + kImage + 15},
               line,
               12,
               wrong ? Colour{Ink::kBad} : kText,
               Anchor::kStart,
               Weight::kBold});
  to.add(Label{{corner.x, corner.y + kImage + 28},
               fmt::format("{:.1f}%, row {}", 100 * row.confidence, row.number),
               9,
               kMuted});
}

Drawing titled(const std::string& title, double width, double height) {
  Drawing drawing{width, height, title, {}};
  drawing.add(Label{{kMargin, 22}, title, 14, kText, Anchor::kStart, Weight::kBold});
  return drawing;
}

}  // namespace

Drawing prediction_gallery(const std::string& title, const std::vector<PredictedRow>& rows,
                           const std::vector<std::string>& class_names) {
  const int count = static_cast<int>(rows.size());
  const int lines = std::max((count + kColumns - 1) / kColumns, 1);
  Drawing drawing = titled(title, 2 * kMargin + kColumns * kCell, kTop + lines * kCellHeight + 4);
  if (rows.empty()) drawing.add(Label{{kMargin, kTop + 20}, "none", 12, kMuted});
  for (int i = 0; i < count; ++i) {
    add_prediction(
        drawing,
        {kMargin + i % kColumns * kCell, kTop + static_cast<double>(i / kColumns) * kCellHeight},
        rows[static_cast<std::size_t>(i)], class_names);
  }
  return drawing;
}

Drawing sample_gallery(const std::vector<AugmentedRow>& rows,
                       const std::vector<std::string>& class_names) {
  constexpr double kLine = 76;
  constexpr double kSide = 68;
  constexpr double kNames = 130;
  std::size_t columns = 1;
  for (const AugmentedRow& row : rows) columns = std::max(columns, row.images.size());
  Drawing drawing =
      titled("Training rows", 2 * kMargin + kNames + static_cast<double>(columns) * kLine + 10,
             kTop + 22 + static_cast<double>(std::max<std::size_t>(rows.size(), 1)) * kLine);
  for (std::size_t i = 0; i < columns; ++i) {
    drawing.add(
        Label{{kMargin + kNames + static_cast<double>(i) * kLine + (i > 0 ? 10 : 0), kTop + 12},
              i == 0 ? "as it is" : fmt::format("epoch {}", i),
              10,
              kMuted});
  }
  double y = kTop + 20;
  for (const AugmentedRow& row : rows) {
    drawing.add(Label{{kMargin, y + 30},
                      shortened(name_of(class_names, row.label), 16),
                      12,
                      kText,
                      Anchor::kStart,
                      Weight::kBold});
    drawing.add(Label{{kMargin, y + 46}, fmt::format("row {}", row.number), 10, kMuted});
    for (std::size_t i = 0; i < row.images.size(); ++i) {
      add_picture(drawing,
                  {kMargin + kNames + static_cast<double>(i) * kLine + (i > 0 ? 10 : 0), y}, kSide,
                  row.images[i]);
    }
    y += kLine;
  }
  return drawing;
}

}  // namespace lockstep
