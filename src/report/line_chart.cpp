#include "report/line_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "report/axis.h"
#include "report/text.h"
#include "report/text_table.h"

namespace lockstep {

namespace {

constexpr double kWidth = 380;
constexpr double kHeight = 230;
constexpr double kLeft = 50;
constexpr double kRight = 14;
constexpr double kTop = 40;
constexpr double kBottom = 36;
constexpr double kLogFactor = 30;
constexpr std::size_t kMostPoints = 300;
constexpr std::size_t kMostDots = 60;
constexpr Colour kText{Ink::kText};
constexpr Colour kMuted{Ink::kMuted};
constexpr Colour kGrid{Ink::kGrid};

std::vector<Point> thinned(const std::vector<Point>& points) {
  const std::size_t every = (points.size() + kMostPoints - 1) / kMostPoints;
  std::vector<Point> kept;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (i % every == 0 || i + 1 == points.size()) kept.push_back(points[i]);
  }
  return kept;
}

struct Bounds {
  double least = std::numeric_limits<double>::infinity();
  double most = -std::numeric_limits<double>::infinity();

  void add(double value) {
    least = std::min(least, value);
    most = std::max(most, value);
  }
  bool empty() const { return least > most; }
};

std::string value_text(Unit unit, double value) {
  if (unit == Unit::kShare) return fmt::format("{:.4g}%", 100 * value);
  return std::abs(value) >= 1000 ? grouped(std::llround(value)) : fmt::format("{:.4g}", value);
}

AxisKind kind_for(Unit unit, const Bounds& y) {
  const bool wide = y.least > 0 && y.most > kLogFactor * y.least;
  return wide && unit != Unit::kRate ? AxisKind::kLog : AxisKind::kLinear;
}

// The frame of a chart with room for its lines.
class Plot {
 public:
  Plot(const ChartOptions& options, const Bounds& x, const Bounds& y)
      : options_(options), x_(x), y_axis_(kind_for(options.unit, y), y.least, y.most) {}

  Point at(Point value) const {
    const double span = x_.most - x_.least;
    const double along = span > 0 ? (value.x - x_.least) / span : 0.5;
    return {kLeft + along * (kWidth - kLeft - kRight),
            kHeight - kBottom - y_axis_.place(value.y) * (kHeight - kBottom - kTop)};
  }

  void draw_frame(Drawing& to) const {
    for (const double tick : y_axis_.ticks()) {
      const double y = at({x_.least, tick}).y;
      to.add(Curve{{{kLeft, y}, {kWidth - kRight, y}}, kGrid, 1});
      to.add(Label{{kLeft - 6, y + 4}, tick_text(tick), 11, kMuted, Anchor::kEnd});
    }
    const Axis x_axis(AxisKind::kLinear, x_.least, x_.most);
    for (const double tick : x_axis.ticks()) {
      if (tick < x_.least || tick > x_.most || tick != std::round(tick)) continue;
      const double x = at({tick, y_axis_.low()}).x;
      to.add(Label{
          {x, kHeight - kBottom + 16}, grouped(std::llround(tick)), 11, kMuted, Anchor::kMiddle});
    }
    to.add(Label{{(kLeft + kWidth - kRight) / 2, kHeight - 6},
                 options_.x_name,
                 11,
                 kMuted,
                 Anchor::kMiddle});
  }

  void draw_mark(Drawing& to, double x) const {
    const Point low = at({x, y_axis_.low()});
    to.add(Curve{{low, {low.x, kTop}}, {Ink::kGood}, 1.25});
  }

  void draw(Drawing& to, const Series& series, const std::vector<Point>& points) const {
    const Colour colour{Ink::kSeries, series.colour};
    Curve curve{{}, colour, 1.75};
    const auto finish = [&] {
      if (curve.points.size() > 1) to.add(curve);
      curve.points.clear();
    };
    for (const Point& point : points) {
      if (std::isfinite(point.y)) {
        curve.points.push_back(at(point));
      } else {
        finish();
      }
    }
    finish();
    if (points.size() > kMostDots) return;
    for (const Point& point : points) {
      if (!std::isfinite(point.y)) continue;
      to.add(Dot{at(point), 2.5, colour,
                 fmt::format("{} {}, {}: {}", options_.x_name, std::llround(point.x), series.name,
                             value_text(options_.unit, point.y))});
    }
  }

 private:
  std::string tick_text(double tick) const {
    const double largest = std::max(std::abs(y_axis_.low()), std::abs(y_axis_.high()));
    return value_text(options_.unit, std::abs(tick) < 1e-9 * largest ? 0 : tick);
  }

  const ChartOptions& options_;
  Bounds x_;
  Axis y_axis_;
};

void draw_heading(Drawing& to, const ChartOptions& options, const std::vector<Series>& series) {
  to.add(Label{{kLeft - 34, 16}, options.title, 13, kText, Anchor::kStart, Weight::kBold});
  if (options.legend == Legend::kElsewhere || series.size() < 2) return;
  const auto width = [](const Series& each) {
    return 30 + 6.5 * static_cast<double>(text_width(each.name));
  };
  double x = kWidth - kRight;
  for (const Series& each : series) x -= width(each);
  for (const Series& each : series) {
    to.add(Box{{x, 10}, 12, 4, {Ink::kSeries, each.colour}, 1, ""});
    to.add(Label{{x + 17, 16}, each.name, 11, kMuted});
    x += width(each);
  }
}

}  // namespace

Drawing line_chart(const ChartOptions& options, const std::vector<Series>& series) {
  Drawing drawing{kWidth, kHeight, options.title, {}};
  draw_heading(drawing, options, series);
  std::vector<std::vector<Point>> shown;
  Bounds x;
  Bounds y;
  for (const Series& each : series) {
    shown.push_back(thinned(each.points));
    for (const Point& point : shown.back()) {
      if (!std::isfinite(point.y)) continue;
      x.add(point.x);
      y.add(point.y);
    }
  }
  if (y.empty()) {
    drawing.add(Label{{kWidth / 2, kHeight / 2}, "no values", 12, kMuted, Anchor::kMiddle});
    return drawing;
  }
  const Plot plot(options, x, y);
  plot.draw_frame(drawing);
  if (options.marked_x) plot.draw_mark(drawing, *options.marked_x);
  for (std::size_t i = 0; i < series.size(); ++i) plot.draw(drawing, series[i], shown[i]);
  return drawing;
}

}  // namespace lockstep
