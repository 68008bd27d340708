#include "report/confusions.h"

#include <algorithm>

namespace lockstep {

std::vector<Confusion> confusions(const Evaluation& evaluation) {
  std::vector<Confusion> pairs;
  for (int truth = 0; truth < evaluation.classes; ++truth) {
    for (int predicted = 0; predicted < evaluation.classes; ++predicted) {
      const std::int64_t rows = evaluation.count(truth, predicted);
      if (truth != predicted && rows > 0) pairs.push_back({truth, predicted, rows});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const Confusion& a, const Confusion& b) { return a.rows > b.rows; });
  return pairs;
}

}  // namespace lockstep
