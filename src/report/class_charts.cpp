#include "report/class_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "report/text.h"
#include "report/text_table.h"

namespace lockstep {

namespace {

constexpr Colour kText{Ink::kText};
constexpr Colour kMuted{Ink::kMuted};
constexpr std::size_t kMostWithNumbers = 20;
constexpr std::size_t kLongestName = 16;

const std::string& name_of(const Evaluation& evaluation, int index) {
  return evaluation.class_names[static_cast<std::size_t>(index)];
}

double names_width(const std::vector<std::string>& names, const std::vector<int>& classes) {
  std::size_t longest = 1;
  for (const int index : classes) {
    longest = std::max(longest,
                       text_width(shortened(names[static_cast<std::size_t>(index)], kLongestName)));
  }
  return 7.2 * static_cast<double>(longest);
}

// The `count` classes of the largest weight, in class order.
std::vector<int> heaviest(int classes, int count, const std::function<std::int64_t(int)>& weight) {
  std::vector<int> order(static_cast<std::size_t>(classes));
  std::iota(order.begin(), order.end(), 0);
  if (classes <= count) return order;
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return weight(a) > weight(b); });
  order.resize(static_cast<std::size_t>(count));
  std::sort(order.begin(), order.end());
  return order;
}

// The cells of a confusion matrix.
class Matrix {
 public:
  Matrix(const Evaluation& evaluation, const std::vector<int>& classes)
      : evaluation_(evaluation),
        classes_(classes),
        with_numbers_(classes.size() <= kMostWithNumbers),
        side_(with_numbers_ ? 46 : 16),
        left_(names_width(evaluation.class_names, classes) + 34) {
    for (const int truth : classes) {
      support_.push_back(evaluation.of_class(truth).support);
      for (const int predicted : classes) {
        if (predicted != truth) largest_error_ = std::max(largest_error_, share(truth, predicted));
      }
    }
  }

  Drawing draw() const {
    const double extent = side_ * static_cast<double>(classes_.size());
    Drawing drawing{left_ + extent + 8, kTop + extent + 8, "Confusion matrix", {}};
    drawing.add(Label{{left_ + extent / 2, 15}, "predicted", 12, kMuted, Anchor::kMiddle});
    drawing.add(Label{{4, kTop - 8}, "true", 12, kMuted});
    for (std::size_t i = 0; i < classes_.size(); ++i) {
      const double middle = side_ * (static_cast<double>(i) + 0.5);
      const std::string& name = name_of(evaluation_, classes_[i]);
      const std::size_t room = static_cast<std::size_t>(side_ / 8.5);
      drawing.add(Label{{left_ + middle, kTop - 8},
                        with_numbers_ ? shortened(name, room) : fmt::format("{}", classes_[i]),
                        with_numbers_ ? 12.0 : 8.0,
                        kText,
                        Anchor::kMiddle});
      drawing.add(Label{{left_ - 8, kTop + middle + 4},
                        shortened(name, kLongestName),
                        with_numbers_ ? 12.0 : 10.0,
                        kText,
                        Anchor::kEnd});
      for (std::size_t j = 0; j < classes_.size(); ++j) draw_cell(drawing, i, j);
    }
    return drawing;
  }

 private:
  static constexpr double kTop = 42;

  double share(int truth, int predicted) const {
    const auto row = static_cast<double>(evaluation_.of_class(truth).support);
    return row == 0 ? 0 : static_cast<double>(evaluation_.count(truth, predicted)) / row;
  }

  // Faint enough that the theme's text can be read on it.
  double opacity(double part, bool right) const {
    if (part == 0) return 0.04;
    return right ? 0.1 + 0.3 * part : 0.12 + 0.4 * std::sqrt(part / largest_error_);
  }

  void draw_cell(Drawing& to, std::size_t i, std::size_t j) const {
    const int truth = classes_[i];
    const int predicted = classes_[j];
    const std::int64_t count = evaluation_.count(truth, predicted);
    const auto row = static_cast<double>(support_[i]);
    const double part = row == 0 ? 0 : static_cast<double>(count) / row;
    const Point corner{left_ + side_ * static_cast<double>(j),
                       kTop + side_ * static_cast<double>(i)};
    const Ink ink = count == 0 ? Ink::kMuted : i == j ? Ink::kHeat : Ink::kBad;
    to.add(Box{{corner.x + 1, corner.y + 1},
               side_ - 2,
               side_ - 2,
               {ink},
               opacity(part, i == j),
               fmt::format("true {}, predicted {}: {} of {} rows ({})",
                           class_name(name_of(evaluation_, truth)),
                           class_name(name_of(evaluation_, predicted)), grouped(count),
                           grouped(support_[i]), percent(part))});
    if (!with_numbers_) return;
    const double middle = corner.x + side_ / 2;
    if (count == 0) {
      to.add(Label{{middle, corner.y + 28}, "·", 13, kMuted, Anchor::kMiddle});
      return;
    }
    to.add(
        Label{{middle, corner.y + 22}, grouped(count), 13, kText, Anchor::kMiddle, Weight::kBold});
    to.add(Label{
        {middle, corner.y + 36}, fmt::format("{:.1f}%", 100 * part), 9.5, kText, Anchor::kMiddle});
  }

  const Evaluation& evaluation_;
  const std::vector<int>& classes_;
  bool with_numbers_;
  double side_;
  double left_;
  std::vector<std::int64_t> support_;  // by shown class
  double largest_error_ = 0.02;        // or more: rarer mistakes are faint
};

}  // namespace

std::vector<int> matrix_classes(const Evaluation& evaluation) {
  std::vector<std::int64_t> wrong(static_cast<std::size_t>(evaluation.classes), 0);
  for (int truth = 0; truth < evaluation.classes; ++truth) {
    for (int predicted = 0; predicted < evaluation.classes; ++predicted) {
      if (truth == predicted) continue;
      const std::int64_t count = evaluation.count(truth, predicted);
      wrong[static_cast<std::size_t>(truth)] += count;
      wrong[static_cast<std::size_t>(predicted)] += count;
    }
  }
  return heaviest(evaluation.classes, kMostMatrixClasses,
                  [&](int index) { return wrong[static_cast<std::size_t>(index)]; });
}

Drawing confusion_drawing(const Evaluation& evaluation) {
  const std::vector<int> classes = matrix_classes(evaluation);
  return Matrix(evaluation, classes).draw();
}

Drawing balance_drawing(const std::vector<std::string>& names,
                        const std::vector<std::int64_t>& training,
                        const std::vector<std::int64_t>& validation) {
  const std::vector<int> classes =
      heaviest(static_cast<int>(names.size()), kMostBalanceClasses,
               [&](int index) { return -training[static_cast<std::size_t>(index)]; });
  constexpr double kRow = 30;
  constexpr double kTop = 34;
  constexpr double kBars = 250;
  const double left = names_width(names, classes) + 16;
  std::int64_t most = 1;
  for (const int index : classes) {
    const auto at = static_cast<std::size_t>(index);
    most = std::max({most, training[at], validation[at]});
  }
  Drawing drawing{left + kBars + 60,
                  kTop + kRow * static_cast<double>(classes.size()),
                  "Rows of each class",
                  {}};
  drawing.add(Box{{left, 8}, 12, 8, {Ink::kSeries, 0}, 1, ""});
  drawing.add(Label{{left + 18, 16}, "training", 11, kMuted});
  drawing.add(Box{{left + 90, 8}, 12, 8, {Ink::kSeries, 1}, 1, ""});
  drawing.add(Label{{left + 108, 16}, "validation", 11, kMuted});
  double y = kTop;
  for (const int index : classes) {
    const auto at = static_cast<std::size_t>(index);
    drawing.add(
        Label{{left - 8, y + 15}, shortened(names[at], kLongestName), 12, kText, Anchor::kEnd});
    for (const auto& [split, rows] : {std::pair(0, training[at]), std::pair(1, validation[at])}) {
      const double width = kBars * static_cast<double>(rows) / static_cast<double>(most);
      const double top = y + 11 * split;
      drawing.add(Box{{left, top}, width, 10, {Ink::kSeries, split}, 1, ""});
      drawing.add(Label{{left + width + 5, top + 9}, grouped(rows), 10, kMuted});
    }
    y += kRow;
  }
  return drawing;
}

}  // namespace lockstep
