#include <algorithm>
#include <cmath>
#include <utility>

#include "lockstep/report/sweep.h"

namespace lockstep {

namespace {

bool is_better(const MetricsPoint& a, const MetricsPoint& b, RankedBy ranked_by) {
  if (ranked_by == RankedBy::kValLoss) return a.val_loss < b.val_loss;
  return a.val_accuracy > b.val_accuracy;
}

bool is_known(const MetricsPoint& point, RankedBy ranked_by) {
  return std::isfinite(ranked_by == RankedBy::kValLoss ? point.val_loss : point.val_accuracy);
}

int group(const SweptRun& run) {
  if (run.state == "done") return 0;
  return has_failed(run) ? 2 : 1;
}

bool comes_before(const SweptRun& a, const SweptRun& b, RankedBy ranked_by) {
  if (group(a) != group(b)) return group(a) < group(b);
  const MetricsPoint* of_a = best_epoch(a, ranked_by);
  const MetricsPoint* of_b = best_epoch(b, ranked_by);
  if (of_a == nullptr || of_b == nullptr) return of_a != nullptr && of_b == nullptr;
  if (is_better(*of_a, *of_b, ranked_by)) return true;
  if (is_better(*of_b, *of_a, ranked_by)) return false;
  return of_a->val_loss < of_b->val_loss;
}

// The last `count` names of a path: b.c of a.b.c for 2.
std::string path_end(const std::string& path, int count) {
  std::size_t at = path.size();
  for (int i = 0; i < count && at != std::string::npos; ++i) {
    at = at == 0 ? std::string::npos : path.rfind('.', at - 1);
  }
  return at == std::string::npos ? path : path.substr(at + 1);
}

}  // namespace

const MetricsPoint* best_epoch(const SweptRun& run, RankedBy ranked_by) {
  const MetricsPoint* best = nullptr;
  for (const MetricsPoint& point : run.record.epochs) {
    if (!is_known(point, ranked_by)) continue;
    if (best == nullptr || is_better(point, *best, ranked_by)) best = &point;
  }
  return best;
}

std::vector<SweptRun> ranked(std::vector<SweptRun> runs, RankedBy ranked_by) {
  std::stable_sort(runs.begin(), runs.end(), [&](const SweptRun& a, const SweptRun& b) {
    return comes_before(a, b, ranked_by);
  });
  return runs;
}

bool has_failed(const SweptRun& run) { return run.state == "failed" || run.state == "diverged"; }

const SweptRun* best_run(const Sweep& sweep) {
  if (sweep.runs.empty()) return nullptr;
  const SweptRun& first = sweep.runs.front();
  return first.state == "done" && best_epoch(first, sweep.ranked_by) != nullptr ? &first : nullptr;
}

std::vector<SweepFailure> failures(const std::vector<SweptRun>& runs) {
  std::vector<SweepFailure> found;
  for (const SweptRun& run : runs) {
    if (!has_failed(run)) continue;
    const auto same = std::find_if(found.begin(), found.end(), [&](const SweepFailure& each) {
      return each.state == run.state && each.cause == run.cause;
    });
    if (same == found.end()) {
      found.push_back({run.state, run.cause, {run.folder}});
    } else {
      same->folders.push_back(run.folder);
    }
  }
  return found;
}

std::vector<std::string> short_names(const std::vector<std::string>& paths) {
  std::vector<std::string> names;
  for (const std::string& path : paths) {
    int count = path.starts_with("model.layer") ? 2 : 1;
    const auto is_shared = [&](const std::string& other) {
      return other != path && path_end(other, count) == path_end(path, count);
    };
    while (path_end(path, count) != path && std::any_of(paths.begin(), paths.end(), is_shared)) {
      ++count;
    }
    names.push_back(path_end(path, count));
  }
  return names;
}

}  // namespace lockstep
