#include "report/drawing.h"

#include <algorithm>

namespace lockstep {

namespace {

// Moves a shape by an offset.
struct Move {
  Point by;

  void move(Point& point) const { point = {point.x + by.x, point.y + by.y}; }
  void operator()(Curve& curve) const {
    for (Point& point : curve.points) move(point);
  }
  void operator()(Box& box) const { move(box.corner); }
  void operator()(Dot& dot) const { move(dot.centre); }
  void operator()(Label& label) const { move(label.at); }
  void operator()(PlacedPicture& picture) const { move(picture.corner); }
};

}  // namespace

Drawing in_grid(const std::vector<Drawing>& panels, int columns, const std::string& title) {
  double width = 0;
  double height = 0;
  for (const Drawing& panel : panels) {
    width = std::max(width, panel.width);
    height = std::max(height, panel.height);
  }
  const auto in_row = static_cast<std::size_t>(columns);
  Drawing grid;
  grid.width = width * static_cast<double>(std::min(in_row, panels.size()));
  grid.height = height * static_cast<double>((panels.size() + in_row - 1) / in_row);
  grid.title = title;
  for (std::size_t i = 0; i < panels.size(); ++i) {
    const Move move{
        {width * static_cast<double>(i % in_row), height * static_cast<double>(i / in_row)}};
    for (Shape shape : panels[i].shapes) {
      std::visit(move, shape);
      grid.add(std::move(shape));
    }
  }
  return grid;
}

}  // namespace lockstep
