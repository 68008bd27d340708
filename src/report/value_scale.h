// The scale of an axis of settings.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace lockstep {

// Where the values of an axis lie. Values that are numbers lie by size, on a log scale
// where they spread over a decade or more and that suits them better; others in
// alphabetical order.
class ValueScale {
 public:
  explicit ValueScale(const std::vector<std::string>& values);  // at least one

  // 0 at the lower end, 1 at the upper; of one of the values.
  double place(const std::string& value) const;
  // Places and texts, upwards.
  std::vector<std::pair<double, std::string>> ticks() const;

 private:
  void place_numbers();
  void place_words();
  std::vector<std::pair<double, std::string>> round_ticks() const;

  std::vector<std::pair<std::string, double>> places_;  // number, then place, by value
  bool is_numeric_ = true;
  bool is_log_ = false;
  double low_ = 0;
  double high_ = 0;
};

}  // namespace lockstep
