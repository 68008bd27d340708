#include <fmt/format.h>

#include "report/markup.h"
#include "report/render.h"
#include "report/theme.h"

namespace lockstep {

namespace {

constexpr double kLargestScale = 1.2;  // of a drawing in a page

std::string length(double value) { return fmt::format("{:.5g}", value); }

const char* anchor_name(Anchor anchor) {
  switch (anchor) {
    case Anchor::kMiddle:
      return "middle";
    case Anchor::kEnd:
      return "end";
    case Anchor::kStart:
      break;
  }
  return "start";
}

class Writer {
 public:
  explicit Writer(Markup& to) : to_(to) {}

  void operator()(const Curve& curve) {
    std::string points;
    for (const Point& point : curve.points) {
      if (!points.empty()) points += ' ';
      points += fmt::format("{:.5g},{:.5g}", point.x, point.y);
    }
    to_.empty("polyline", {{"class", class_of(curve.colour)},
                           {"stroke-width", length(curve.width)},
                           {"stroke-opacity", length(curve.opacity)},
                           {"points", points}});
  }

  void operator()(const Box& box) {
    to_.open("rect", {{"class", class_of(box.colour)},
                      {"x", length(box.corner.x)},
                      {"y", length(box.corner.y)},
                      {"width", length(box.width)},
                      {"height", length(box.height)},
                      {"fill-opacity", length(box.opacity)}});
    close_with(box.tip);
  }

  void operator()(const Dot& dot) {
    to_.open("circle", {{"class", class_of(dot.colour)},
                        {"cx", length(dot.centre.x)},
                        {"cy", length(dot.centre.y)},
                        {"r", length(dot.radius)}});
    close_with(dot.tip);
  }

  void operator()(const Label& label) {
    to_.leaf("text", label.text,
             {{"class", class_of(label.colour)},
              {"x", length(label.at.x)},
              {"y", length(label.at.y)},
              {"font-size", length(label.size)},
              {"font-weight", label.weight == Weight::kBold ? "600" : "400"},
              {"text-anchor", anchor_name(label.anchor)}});
  }

  void operator()(const PlacedPicture& picture) {
    to_.empty("image", {{"x", length(picture.corner.x)},
                        {"y", length(picture.corner.y)},
                        {"width", length(picture.width)},
                        {"height", length(picture.height)},
                        {"href", data_address(picture.image)}});
  }

 private:
  void close_with(const std::string& tip) {
    if (!tip.empty()) to_.leaf("title", tip);
    to_.close();
  }

  Markup& to_;
};

void write_shapes(Markup& to, const Drawing& drawing) {
  Writer writer(to);
  for (const Shape& shape : drawing.shapes) std::visit(writer, shape);
}

std::string view_box(const Drawing& drawing) {
  return fmt::format("0 0 {} {}", length(drawing.width), length(drawing.height));
}

}  // namespace

std::string inline_svg(const Drawing& drawing) {
  Markup svg;
  svg.open("svg",
           {{"class", "chart"},
            {"role", "img"},
            {"aria-label", drawing.title},
            {"viewBox", view_box(drawing)},
            {"style", fmt::format("max-width: {}px", length(kLargestScale * drawing.width))}});
  write_shapes(svg, drawing);
  svg.close();
  return svg.written();
}

std::string svg_file(const Drawing& drawing) {
  Markup svg;
  svg.open("svg", {{"xmlns", "http://www.w3.org/2000/svg"},
                   {"width", length(drawing.width)},
                   {"height", length(drawing.height)},
                   {"viewBox", view_box(drawing)}});
  svg.leaf("title", drawing.title);
  svg.open("style").raw(kChartStyle).raw("svg { background: var(--card); }\n").close();
  write_shapes(svg, drawing);
  svg.close().raw("\n");
  return svg.written();
}

}  // namespace lockstep
