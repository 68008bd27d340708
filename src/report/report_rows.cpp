#include <fmt/format.h>

#include <algorithm>

#include "report/page.h"
#include "report/render.h"
#include "report/sections.h"
#include "report/text.h"

namespace lockstep {

namespace {

std::string name_of(const ReportData& data, int index) {
  return class_name(data.validation.class_names[static_cast<std::size_t>(index)]);
}

void write_image(Markup& to, const Picture& image, const std::string& description) {
  to.empty("img", {{"src", data_address(image)},
                   {"width", fmt::format("{}", image.width)},
                   {"height", fmt::format("{}", image.height)},
                   {"alt", description}});
}

void write_prediction(Markup& to, const ReportData& data, const PredictedRow& row) {
  const bool wrong = row.truth != row.predicted;
  const std::string truth = name_of(data, row.truth);
  const std::string predicted = name_of(data, row.predicted);
  to.open("figure", {{"class", wrong ? "shot wrong" : "shot"}});
  write_image(to, row.image,
              wrong ? fmt::format("row {}: {}, predicted {}", row.number, truth, predicted)
                    : fmt::format("row {}: {}, predicted so", row.number, truth));
  to.open("figcaption").open("span", {{"class", "line"}}).leaf("strong", truth);
  if (wrong) to.text(" → ").leaf("strong", predicted, {{"class", "bad"}});
  to.close();
  to.leaf("span", fmt::format("{:.1f}%", 100 * row.confidence), {{"class", "line muted"}});
  to.leaf("span", fmt::format("row {}", row.number), {{"class", "line muted"}});
  to.close().close();
}

void write_gallery(Markup& to, const ReportData& data, const std::vector<PredictedRow>& rows) {
  to.open("div", {{"class", "gallery"}});
  for (const PredictedRow& row : rows) write_prediction(to, data, row);
  to.close();
}

void write_samples(Markup& to, const ReportData& data) {
  std::size_t most = 0;
  for (const AugmentedRow& row : data.samples) most = std::max(most, row.images.size());
  to.leaf("p",
          most > 1 ? fmt::format("Each as it is, then as trained on in epochs 1 to {}.", most - 1)
                   : "Trained on as they are: augmentation is off.",
          {{"class", "note"}});
  to.open("div", {{"class", "samples"}});
  for (const AugmentedRow& row : data.samples) {
    to.open("div", {{"class", "strip"}}).open("div", {{"class", "name"}});
    to.leaf("strong", name_of(data, row.label)).empty("br");
    to.leaf("span", fmt::format("row {}", row.number), {{"class", "muted"}}).close();
    for (std::size_t i = 0; i < row.images.size(); ++i) {
      write_image(to, row.images[i],
                  i == 0 ? fmt::format("row {}", row.number)
                         : fmt::format("row {} in epoch {}", row.number, i));
    }
    to.close();
  }
  to.close();
}

}  // namespace

void write_mistakes(Markup& to, const ReportData& data) {
  if (data.validation.rows() == 0) return;
  to.raw("\n").open("section", {{"id", "mistakes"}, {"class", "long"}});
  to.leaf("h2", "Misclassified rows");
  const auto wrong = data.validation.rows() - data.validation.correct();
  if (wrong == 0) {
    to.leaf("p", "None: every validation row is right.").close();
    return;
  }
  const auto shown = static_cast<std::int64_t>(data.mistakes.size());
  to.leaf("p",
          fmt::format("{} of {}, the most confident first: true class → predicted class, "
                      "probability of the predicted class, row of the source from 1.",
                      shown == wrong ? "All" : grouped(shown), grouped(wrong)),
          {{"class", "note"}});
  write_gallery(to, data, data.mistakes);
  to.close();
}

void write_showcase(Markup& to, const ReportData& data) {
  if (data.showcase.empty()) return;
  to.raw("\n").open("section", {{"id", "predictions"}, {"class", "long"}});
  to.leaf("h2", "Predictions of rows chosen at random");
  const auto wrong =
      std::count_if(data.showcase.begin(), data.showcase.end(),
                    [](const PredictedRow& row) { return row.truth != row.predicted; });
  to.leaf("p",
          fmt::format("{} of these {} {} wrong{}.", wrong, data.showcase.size(),
                      wrong == 1 ? "is" : "are", wrong == 0 ? "" : ", framed in red"),
          {{"class", "note"}});
  write_gallery(to, data, data.showcase);
  to.close();
}

void write_data(Markup& to, const ReportData& data) {
  if (data.samples.empty()) return;
  to.raw("\n").open("section", {{"id", "data"}, {"class", "long"}}).leaf("h2", "Training rows");
  write_samples(to, data);
  to.close();
}

}  // namespace lockstep
