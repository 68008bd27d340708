#include "lockstep/report/report_files.h"

#include <array>
#include <utility>

#include "lockstep/run/run_files.h"
#include "report/class_charts.h"
#include "report/curves.h"
#include "report/galleries.h"
#include "report/page.h"
#include "report/render.h"
#include "report/sections.h"

namespace lockstep {

namespace {

constexpr int kCurveColumns = 3;

void write_links(Markup& to, const ReportData& data) {
  to.open("nav", {{"aria-label", "Sections"}});
  const auto link = [&](const char* id, const char* name) {
    to.leaf("a", name, {{"href", std::string("#") + id}}).raw("\n");
  };
  if (!data.run.epochs.empty() || !data.run.steps.empty()) link("curves", "Curves");
  if (data.validation.rows() > 0) {
    link("confusion", "Confusion matrix");
  }
  link("classes", "Classes");
  if (data.validation.rows() > 0) {
    link("mistakes", "Misclassified");
    link("predictions", "Predictions");
  }
  link("data", "Training rows");
  link("model", "Model");
  link("experiment", "Experiment");
  to.close().raw("\n");
}

std::string report_page(const ReportData& data) {
  Markup body;
  write_summary(body, data);
  write_links(body, data);
  for (const auto write :
       {write_curves, write_confusion, write_classes, write_mistakes, write_showcase, write_data,
        write_model, write_times, write_epochs, write_experiment, write_environment}) {
    write(body, data);
  }
  return whole_page(data.name + ": report", body);
}

}  // namespace

std::map<std::string, std::string> report_files(const ReportData& data) {
  const std::vector<std::string>& names = data.validation.class_names;
  const Drawing curves = in_grid(training_curves(data.run), kCurveColumns, "Training curves");
  const Drawing confusion = confusion_drawing(data.validation);
  return {{kReportPage, report_page(data)},
          {kCurvesSvg, svg_file(curves)},
          {kCurvesPng, png_file(curves)},
          {kConfusionSvg, svg_file(confusion)},
          {kConfusionPng, png_file(confusion)},
          {kMisclassifiedPng,
           png_file(prediction_gallery("Misclassified validation rows", data.mistakes, names))},
          {kPredictionsPng,
           png_file(prediction_gallery("Validation rows chosen at random", data.showcase, names))},
          {kSamplesPng, png_file(sample_gallery(data.samples, names))}};
}

}  // namespace lockstep
