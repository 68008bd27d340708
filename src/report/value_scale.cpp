#include "report/value_scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "report/axis.h"
#include "report/text.h"

namespace lockstep {

namespace {

constexpr std::size_t kMostTicks = 8;  // with more values, round numbers are shown instead
constexpr std::size_t kTickWidth = 14;
constexpr double kDecade = 10;
// A few values with a uniform logarithm may have their middle far from the axis's; evenly
// spaced ones of a decade, as 0.1, 0.2, ..., 1, lie at 0.74 of a log axis.
constexpr double kLogBonus = 0.15;

bool parse_number(const std::string& text, double& number) {
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, number);
  return problem == std::errc() && stop == end && std::isfinite(number);
}

double median(const std::vector<double>& ascending) {
  const std::size_t half = ascending.size() / 2;
  return ascending.size() % 2 == 1 ? ascending[half] : (ascending[half - 1] + ascending[half]) / 2;
}

// Values spread over a decade or more, and their middle one lies nearer to the axis's middle
// on a log scale.
bool wants_log(const std::vector<double>& ascending) {
  const double low = ascending.front();
  const double high = ascending.back();
  if (low <= 0 || high < kDecade * low * (1 - 1e-9)) return false;
  if (ascending.size() == 2) return true;
  const double middle = median(ascending);
  const double linear = (middle - low) / (high - low);
  const double logarithmic = std::log(middle / low) / std::log(high / low);
  return std::abs(logarithmic - 0.5) < std::abs(linear - 0.5) + kLogBonus;
}

}  // namespace

ValueScale::ValueScale(const std::vector<std::string>& values) {
  for (const std::string& value : values) {
    const bool is_known = std::any_of(places_.begin(), places_.end(),
                                      [&](const auto& known) { return known.first == value; });
    if (is_known) continue;
    double number = 0;
    is_numeric_ = parse_number(value, number) && is_numeric_;
    places_.emplace_back(value, number);
  }
  is_numeric_ ? place_numbers() : place_words();
}

void ValueScale::place_numbers() {
  std::stable_sort(places_.begin(), places_.end(),
                   [](const auto& a, const auto& b) { return a.second < b.second; });
  low_ = places_.front().second;
  high_ = places_.back().second;
  std::vector<double> ascending;
  for (const auto& [text, number] : places_) ascending.push_back(number);
  is_log_ = wants_log(ascending);
  for (auto& [text, number] : places_) {
    const double share = is_log_ ? std::log(number / low_) / std::log(high_ / low_)
                                 : (number - low_) / (high_ - low_);
    number = high_ > low_ ? share : 0.5;
  }
}

void ValueScale::place_words() {
  std::sort(places_.begin(), places_.end());
  const auto last = static_cast<double>(places_.size() - 1);
  for (std::size_t i = 0; i < places_.size(); ++i) {
    places_[i].second = last > 0 ? static_cast<double>(i) / last : 0.5;
  }
}

double ValueScale::place(const std::string& value) const {
  return std::find_if(places_.begin(), places_.end(),
                      [&](const auto& known) { return known.first == value; })
      ->second;
}

std::vector<std::pair<double, std::string>> ValueScale::ticks() const {
  if (is_numeric_ && places_.size() > kMostTicks) return round_ticks();
  std::vector<std::pair<double, std::string>> ticks;
  for (const auto& [text, place] : places_) {
    ticks.emplace_back(place, text.empty() ? "default" : shortened(text, kTickWidth));
  }
  return ticks;
}

std::vector<std::pair<double, std::string>> ValueScale::round_ticks() const {
  std::vector<std::pair<double, std::string>> ticks;
  const Axis axis(is_log_ ? AxisKind::kLog : AxisKind::kLinear, low_, high_);
  for (const double tick : axis.ticks()) {
    if (tick < low_ || tick > high_) continue;
    const double share =
        is_log_ ? std::log(tick / low_) / std::log(high_ / low_) : (tick - low_) / (high_ - low_);
    ticks.emplace_back(share, fmt::format("{:.4g}", tick));
  }
  return ticks;
}

}  // namespace lockstep
