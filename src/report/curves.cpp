#include "report/curves.h"

#include <cmath>

#include "report/line_chart.h"

namespace lockstep {

namespace {

using Value = double MetricsPoint::*;

Series epoch_series(const RunRecord& run, const char* name, int colour, Value value) {
  Series series{name, colour, {}};
  for (const MetricsPoint& point : run.epochs) {
    series.points.push_back({static_cast<double>(point.epoch), point.*value});
  }
  return series;
}

Drawing step_chart(const RunRecord& run, const char* title, Unit unit, int colour, Value value) {
  Series series{"train", colour, {}};
  for (const MetricsPoint& point : run.steps) {
    series.points.push_back({static_cast<double>(point.step), point.*value});
  }
  return line_chart({.title = title, .x_name = "step", .unit = unit, .marked_x = {}}, {series});
}

}  // namespace

const MetricsPoint* best_epoch(const RunRecord& run) {
  const MetricsPoint* best = nullptr;
  for (const MetricsPoint& point : run.epochs) {
    if (!std::isfinite(point.val_accuracy)) continue;
    if (best == nullptr || point.val_accuracy > best->val_accuracy) best = &point;
  }
  return best;
}

std::vector<Drawing> training_curves(const RunRecord& run) {
  const MetricsPoint* best = best_epoch(run);
  ChartOptions options{.title = "Loss", .x_name = "epoch", .marked_x = {}};
  if (best != nullptr && run.epochs.size() > 1) options.marked_x = best->epoch;
  std::vector<Drawing> charts;
  charts.push_back(
      line_chart(options, {epoch_series(run, "train", 0, &MetricsPoint::train_loss),
                           epoch_series(run, "validation", 1, &MetricsPoint::val_loss)}));
  options.title = "Accuracy";
  options.unit = Unit::kShare;
  charts.push_back(
      line_chart(options, {epoch_series(run, "train", 0, &MetricsPoint::train_accuracy),
                           epoch_series(run, "validation", 1, &MetricsPoint::val_accuracy)}));
  options.title = "Learning rate";
  options.unit = Unit::kRate;
  options.marked_x.reset();
  charts.push_back(
      line_chart(options, {epoch_series(run, "rate", 2, &MetricsPoint::learning_rate)}));
  if (run.steps.empty()) return charts;
  charts.push_back(
      step_chart(run, "Training loss by step", Unit::kNumber, 0, &MetricsPoint::train_loss));
  charts.push_back(
      step_chart(run, "Training accuracy by step", Unit::kShare, 0, &MetricsPoint::train_accuracy));
  charts.push_back(
      step_chart(run, "Learning rate by step", Unit::kRate, 2, &MetricsPoint::learning_rate));
  return charts;
}

}  // namespace lockstep
