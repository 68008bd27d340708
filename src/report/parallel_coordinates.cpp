#include "report/parallel_coordinates.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "report/axis.h"
#include "report/text.h"
#include "report/value_scale.h"

namespace lockstep {

namespace {

constexpr double kHeight = 320;
constexpr double kTop = 34;
constexpr double kBottom = 18;
constexpr double kSide = 70;
constexpr double kBetween = 130;  // axes, where they are many
constexpr double kLeastWidth = 640;
constexpr double kLabelHeight = 13;
constexpr std::size_t kNameWidth = 20;
constexpr double kFaintest = 0.2;
constexpr double kLogFactor = 30;
constexpr Colour kText{Ink::kText};
constexpr Colour kMuted{Ink::kMuted};

double height_of(double place) { return kHeight - kBottom - place * (kHeight - kBottom - kTop); }

// The axis of results, whose ends are round.
Axis result_axis(const std::vector<ParallelLine>& lines) {
  double least = std::numeric_limits<double>::infinity();
  double most = -least;
  for (const ParallelLine& line : lines) {
    if (!std::isfinite(line.result)) continue;
    least = std::min(least, line.result);
    most = std::max(most, line.result);
  }
  if (least > most) return Axis(AxisKind::kLinear, 0, 1);
  return Axis(least > 0 && most > kLogFactor * least ? AxisKind::kLog : AxisKind::kLinear, least,
              most);
}

std::string result_text(Unit unit, double value) {
  return unit == Unit::kShare ? fmt::format("{:.4g}%", 100 * value) : fmt::format("{:.4g}", value);
}

class Chart {
 public:
  Chart(const ParallelOptions& options, const std::vector<ParallelLine>& lines)
      : options_(options), lines_(lines), result_(result_axis(lines)) {
    for (std::size_t field = 0; field < options.fields.size(); ++field) {
      std::vector<std::string> values;
      for (const ParallelLine& line : lines) values.push_back(line.values[field]);
      scales_.emplace_back(values);
    }
    const auto gaps = static_cast<double>(scales_.size());
    drawing_ = {std::max(kLeastWidth, 2 * kSide + kBetween * gaps), kHeight, options.title, {}};
    between_ = (drawing_.width - 2 * kSide) / gaps;
  }

  Drawing drawn() {
    for (std::size_t at = 0; at <= scales_.size(); ++at) draw_axis(at);
    for (std::size_t i = lines_.size(); i-- > 0;) draw_line(i);
    for (std::size_t at = 0; at <= scales_.size(); ++at) draw_ticks(at);
    return std::move(drawing_);
  }

 private:
  double x_of(std::size_t axis) const { return kSide + between_ * static_cast<double>(axis); }

  void draw_axis(std::size_t at) {
    const double x = x_of(at);
    const std::string& name = at < scales_.size() ? options_.fields[at] : options_.result;
    drawing_.add(Curve{{{x, kTop}, {x, kHeight - kBottom}}, {Ink::kMuted}, 1, 1});
    drawing_.add(Label{{x, kTop - 12}, shortened(name, kNameWidth), 11.5, kText, Anchor::kMiddle});
  }

  void draw_ticks(std::size_t at) {
    std::vector<std::pair<double, std::string>> ticks;
    if (at < scales_.size()) {
      ticks = scales_[at].ticks();
    } else {
      for (const double tick : result_.ticks()) {
        ticks.emplace_back(result_.place(tick), result_text(options_.unit, tick));
      }
    }
    const bool is_last = at == scales_.size();
    double last_y = std::numeric_limits<double>::infinity();
    for (const auto& [place, text] : ticks) {
      const double y = height_of(place);
      if (last_y - y < kLabelHeight) continue;
      last_y = y;
      const double x = x_of(at) + (is_last ? 7 : -7);
      drawing_.add(Label{{x, y + 4}, text, 11, kMuted, is_last ? Anchor::kStart : Anchor::kEnd});
    }
  }

  // The part of the lines with a result that are not better than this one.
  double strength(std::size_t index) const {
    std::size_t behind = 0;
    std::size_t all = 0;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (i == index || !std::isfinite(lines_[i].result)) continue;
      ++all;
      if (i > index || lines_[i].result == lines_[index].result) ++behind;
    }
    return all == 0 ? 1 : static_cast<double>(behind) / static_cast<double>(all);
  }

  void draw_line(std::size_t index) {
    const ParallelLine& line = lines_[index];
    const bool has_result = std::isfinite(line.result);
    Curve curve{{}, {has_result ? Ink::kHeat : Ink::kBad}, 1.5, 0.6};
    for (std::size_t at = 0; at < scales_.size(); ++at) {
      curve.points.push_back({x_of(at), height_of(scales_[at].place(line.values[at]))});
    }
    if (has_result) {
      curve.points.push_back({x_of(scales_.size()), height_of(result_.place(line.result))});
      curve.opacity = kFaintest + (0.9 - kFaintest) * strength(index);
      if (index == 0) curve = {curve.points, {Ink::kGood}, 3, 1};
    } else if (curve.points.size() == 1) {
      // Towards the result, so that one field gives a line as well.
      curve.points.push_back({x_of(0) + between_ / 4, curve.points[0].y});
    }
    const Point end = curve.points.back();
    const Colour colour = curve.colour;
    drawing_.add(std::move(curve));
    const std::string result = has_result ? result_text(options_.unit, line.result) : "no result";
    drawing_.add(Dot{end, index == 0 ? 4.0 : 3.0, colour, line.name + ": " + result});
  }

  const ParallelOptions& options_;
  const std::vector<ParallelLine>& lines_;
  std::vector<ValueScale> scales_;
  Axis result_;
  Drawing drawing_;
  double between_ = 0;
};

}  // namespace

Drawing parallel_coordinates(const ParallelOptions& options,
                             const std::vector<ParallelLine>& lines) {
  return Chart(options, lines).drawn();
}

}  // namespace lockstep
