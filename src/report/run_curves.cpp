#include "report/run_curves.h"

#include <utility>

#include "report/line_chart.h"
#include "report/theme.h"

namespace lockstep {

namespace {

Drawing over_each_other(const std::vector<NamedRun>& runs, const char* title, Unit unit,
                        double MetricsPoint::*value) {
  std::vector<Series> series;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    Series each{runs[i].name, static_cast<int>(i), {}};
    for (const MetricsPoint& point : runs[i].record->epochs) {
      each.points.push_back({static_cast<double>(point.epoch), point.*value});
    }
    series.push_back(std::move(each));
  }
  return line_chart({.title = title,
                     .x_name = "epoch",
                     .unit = unit,
                     .legend = Legend::kElsewhere,
                     .marked_x = {}},
                    series);
}

}  // namespace

std::vector<Drawing> curves_over_each_other(const std::vector<NamedRun>& runs) {
  return {
      over_each_other(runs, "Validation accuracy", Unit::kShare, &MetricsPoint::val_accuracy),
      over_each_other(runs, "Validation loss", Unit::kNumber, &MetricsPoint::val_loss),
      over_each_other(runs, "Training accuracy", Unit::kShare, &MetricsPoint::train_accuracy),
      over_each_other(runs, "Training loss", Unit::kNumber, &MetricsPoint::train_loss),
      over_each_other(runs, "Learning rate", Unit::kRate, &MetricsPoint::learning_rate),
      over_each_other(runs, "Images per second", Unit::kNumber, &MetricsPoint::images_per_second)};
}

void write_swatch(Markup& to, std::size_t place) {
  to.leaf("span", "", {{"class", "swatch " + class_of({Ink::kSeries, static_cast<int>(place)})}});
}

void write_legend(Markup& to, const std::vector<NamedRun>& runs) {
  to.open("p", {{"class", "note"}});
  for (std::size_t i = 0; i < runs.size(); ++i) {
    write_swatch(to, i);
    to.text(runs[i].name + (i + 1 < runs.size() ? " \u2003" : ""));
  }
  to.close();
}

}  // namespace lockstep
