// Charts with a place for each class. Where there are many classes, those that
// matter most are shown.
#pragma once

#include <cstdint>
#include <vector>

#include "lockstep/eval/evaluation.h"
#include "report/drawing.h"

namespace lockstep {

inline constexpr int kMostMatrixClasses = 40;
inline constexpr int kMostBalanceClasses = 40;

// The classes in the confusion matrix: all, or the kMostMatrixClasses with the most
// wrong rows (of the class, or taken for it), in class order.
std::vector<int> matrix_classes(const Evaluation& evaluation);

// Counts and, below them, shares of the true class (up to 20 classes; then colours
// alone). Right ones are blue; wrong ones red, the more of the true class the
// stronger.
Drawing confusion_drawing(const Evaluation& evaluation);

// Rows of each class in both splits: all classes, or the kMostBalanceClasses with
// the fewest training rows.
Drawing balance_drawing(const std::vector<std::string>& names,
                        const std::vector<std::int64_t>& training,
                        const std::vector<std::int64_t>& validation);

}  // namespace lockstep
