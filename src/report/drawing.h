// A picture as a list of shapes: a chart is drawn once, then written as SVG or as
// PNG. Plain values; lengths in pixels, y points down.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lockstep/pictures/picture.h"

namespace lockstep {

// What a colour is for; the theme says which it is. Series follow one another.
enum class Ink { kText, kMuted, kGrid, kGood, kBad, kHeat, kSeries };
inline constexpr int kSeriesColours = 8;

struct Colour {
  Ink ink = Ink::kText;
  int series = 0;  // for kSeries, modulo kSeriesColours
};

struct Point {
  double x = 0;
  double y = 0;
};

struct Curve {
  std::vector<Point> points;
  Colour colour;
  double width = 1;
  double opacity = 1;
};

// A filled rectangle; `tip` is shown under the pointer where the format can.
struct Box {
  Point corner;  // upper left
  double width = 0;
  double height = 0;
  Colour colour;
  double opacity = 1;
  std::string tip;
};

struct Dot {
  Point centre;
  double radius = 1;
  Colour colour;
  std::string tip;
};

enum class Anchor { kStart, kMiddle, kEnd };
enum class Weight { kNormal, kBold };

struct Label {
  Point at;  // on the baseline
  std::string text;
  double size = 11;
  Colour colour;
  Anchor anchor = Anchor::kStart;
  Weight weight = Weight::kNormal;
};

struct PlacedPicture {
  Point corner;
  double width = 0;
  double height = 0;
  Picture image;
};

using Shape = std::variant<Curve, Box, Dot, Label, PlacedPicture>;

struct Drawing {
  double width = 0;
  double height = 0;
  std::string title;  // for readers who do not see it
  std::vector<Shape> shapes;

  void add(Shape shape) { shapes.push_back(std::move(shape)); }
};

// `panels` in a grid of `columns`, each at the upper left of a cell of the largest's
// size.
Drawing in_grid(const std::vector<Drawing>& panels, int columns, const std::string& title);

}  // namespace lockstep
