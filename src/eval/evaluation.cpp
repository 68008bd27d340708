#include "lockstep/eval/evaluation.h"

#include <cmath>
#include <limits>
#include <numeric>

namespace lockstep {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

double ratio(double numerator, double denominator) {
  return denominator == 0 ? 0 : numerator / denominator;
}

void add(ClassMetrics& sum, const ClassMetrics& metrics, double weight) {
  sum.precision += weight * metrics.precision;
  sum.recall += weight * metrics.recall;
  sum.f1 += weight * metrics.f1;
}

ClassMetrics mean(const ClassMetrics& sum, double total_weight, std::int64_t rows) {
  if (rows == 0) return {kNone, kNone, kNone, 0};
  return {ratio(sum.precision, total_weight), ratio(sum.recall, total_weight),
          ratio(sum.f1, total_weight), rows};
}

}  // namespace

std::int64_t Evaluation::rows() const {
  return std::accumulate(confusion.begin(), confusion.end(), std::int64_t{0});
}

std::int64_t Evaluation::correct() const {
  std::int64_t sum = 0;
  for (int index = 0; index < classes; ++index) sum += count(index, index);
  return sum;
}

double Evaluation::accuracy() const {
  return rows() == 0 ? kNone : static_cast<double>(correct()) / static_cast<double>(rows());
}

double Evaluation::top_k_accuracy() const {
  if (rows() == 0 || top_k == 0) return kNone;
  return static_cast<double>(top_k_correct) / static_cast<double>(rows());
}

double Evaluation::loss() const {
  const double mean_loss = loss_sum / static_cast<double>(rows());
  return std::isnan(mean_loss) ? kNone : mean_loss;  // without the sign that a processor gives it
}

ClassMetrics Evaluation::of_class(int index) const {
  std::int64_t support = 0;
  std::int64_t predicted = 0;
  for (int other = 0; other < classes; ++other) {
    support += count(index, other);
    predicted += count(other, index);
  }
  const auto hits = static_cast<double>(count(index, index));
  return {ratio(hits, static_cast<double>(predicted)), ratio(hits, static_cast<double>(support)),
          ratio(2 * hits, static_cast<double>(support + predicted)), support};
}

ClassMetrics Evaluation::macro_average() const {
  ClassMetrics sum;
  for (int index = 0; index < classes; ++index) add(sum, of_class(index), 1);
  return mean(sum, classes, rows());
}

ClassMetrics Evaluation::weighted_average() const {
  ClassMetrics sum;
  for (int index = 0; index < classes; ++index) {
    const ClassMetrics metrics = of_class(index);
    add(sum, metrics, static_cast<double>(metrics.support));
  }
  return mean(sum, static_cast<double>(rows()), rows());
}

}  // namespace lockstep
