// What an evaluation found: exact counts and the metrics that follow from them.
// Plain values, equal on every rank; the report room draws them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

struct ClassMetrics {
  double precision = 0;      // true positives / predicted as the class; 0 when none was
  double recall = 0;         // true positives / rows of the class; 0 when there is none
  double f1 = 0;             // 2 tp / (2 tp + fp + fn); 0 when that is 0 / 0
  std::int64_t support = 0;  // rows of the class
};

struct Evaluation {
  int classes = 0;
  std::vector<std::string> class_names;  // [classes]
  std::vector<std::int64_t> confusion;   // [true class, predicted class]
  double loss_sum = 0;                   // cross entropy, natural logarithm, over rows
  int top_k = 0;                         // 0: was not asked for
  std::int64_t top_k_correct = 0;        // rows whose class is among the top_k likeliest

  std::int64_t count(int truth, int predicted) const {
    return confusion[static_cast<std::size_t>(truth) * static_cast<std::size_t>(classes) +
                     static_cast<std::size_t>(predicted)];
  }
  std::int64_t rows() const;
  std::int64_t correct() const;
  double accuracy() const;        // NaN for no rows
  double top_k_accuracy() const;  // NaN for no rows, and where top_k is 0
  double loss() const;            // mean over rows; NaN for no rows

  ClassMetrics of_class(int index) const;
  // Over all classes, as scikit-learn's classification_report has them with
  // zero_division=0; `support` is rows(). NaN for no rows.
  ClassMetrics macro_average() const;     // unweighted mean
  ClassMetrics weighted_average() const;  // mean weighted by support
};

}  // namespace lockstep
