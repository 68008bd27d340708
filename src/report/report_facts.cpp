#include <fmt/format.h>

#include <array>
#include <cmath>
#include <utility>

#include "lockstep/report/model_table.h"
#include "report/page.h"
#include "report/sections.h"
#include "report/text.h"

namespace lockstep {

namespace {

constexpr std::size_t kMostEpochLines = 1000;

std::string spaced_shape(const ImageShape& shape) {
  if (shape.height == 1 && shape.width == 1) return grouped(shape.channels);
  return fmt::format("{} × {} × {}", shape.height, shape.width, shape.channels);
}

void write_layer(Markup& to, const std::string& kind, const ImageShape& output,
                 const std::string& parameters) {
  to.open("tr").leaf("th", kind, {{"scope", "row"}});
  write_number(to, spaced_shape(output));
  write_number(to, parameters);
  to.close();
}

}  // namespace

void write_model(Markup& to, const ReportData& data) {
  to.raw("\n").open("section", {{"id", "model"}}).leaf("h2", "Model");
  to.open("div", {{"class", "scroll"}}).open("table");
  write_head(to, {"layer", "output", "parameters"});
  to.open("tbody");
  write_layer(to, "input", data.input, "");
  std::int64_t all = 0;
  std::int64_t trainable = 0;
  for (const LayerInfo& layer : data.layers) {
    all += layer.parameters;
    trainable += layer.trainable_parameters;
    std::string title;  // the layers of a block stand further to the right
    for (int i = 0; i < layer.depth; ++i) title += "\u2003";
    write_layer(to, title + title_in_block(layer), layer.output,
                layer.parameters == 0 ? "" : grouped(layer.parameters));
  }
  to.close().close().close();
  to.leaf("p",
          fmt::format("{} parameters, {} of them trainable.", grouped(all), grouped(trainable)),
          {{"class", "note"}});
  to.close();
}

void write_times(Markup& to, const ReportData& data) {
  if (data.run.times.empty()) return;
  to.raw("\n").open("section", {{"id", "times"}}).leaf("h2", "Time of a step by rank");
  to.open("div", {{"class", "scroll"}}).open("table");
  write_head(to, {"rank", "host", "data", "forward", "backward", "wait", "sum", "update", "all"},
             2);
  to.open("tbody");
  for (std::size_t rank = 0; rank < data.run.times.size(); ++rank) {
    const auto& [host, times] = data.run.times[rank];
    to.open("tr").leaf("th", fmt::format("{}", rank), {{"scope", "row"}}).leaf("td", host);
    double all = 0;
    for (const double seconds :
         {times.data, times.forward, times.backward, times.wait, times.sum, times.update}) {
      write_number(to, fmt::format("{:.2f}", 1e3 * seconds));
      all += seconds;
    }
    write_number(to, fmt::format("{:.2f}", 1e3 * all));
    to.close();
  }
  to.close().close().close();
  to.leaf("p",
          "Milliseconds, means over the steps. Wait: for the slowest lane of all ranks; sum: of "
          "the lanes, all communication included.",
          {{"class", "note"}});
  to.close();
}

void write_epochs(Markup& to, const ReportData& data) {
  if (data.run.epochs.empty()) return;
  open_folded(to, "epochs", "Epochs");
  to.open("div", {{"class", "scroll"}}).open("table");
  write_head(to,
             {"epoch", "train loss", "train accuracy", "val loss", "val accuracy", "learning rate",
              "images/s", "time"},
             0);
  to.open("tbody");
  std::size_t lines = 0;
  for (const MetricsPoint& point : data.run.epochs) {
    if (++lines > kMostEpochLines) break;
    to.open("tr").leaf("td", fmt::format("{}", point.epoch), {{"class", "number"}});
    write_number(to, rounded(point.train_loss));
    write_number(to, percent(point.train_accuracy));
    write_number(to, rounded(point.val_loss));
    write_number(to, percent(point.val_accuracy));
    write_number(to, rounded(point.learning_rate));
    write_number(to, std::isfinite(point.images_per_second)
                         ? grouped(std::llround(point.images_per_second))
                         : "n/a");
    write_number(to, duration(point.seconds));
    to.close();
  }
  to.close().close().close().close();
}

void write_experiment(Markup& to, const ReportData& data) {
  open_folded(to, "experiment", "Experiment");
  to.leaf("pre", data.experiment).close();
}

void write_environment(Markup& to, const ReportData& data) {
  if (data.run.environment.empty()) return;
  open_folded(to, "environment", "Environment");
  to.open("div", {{"class", "scroll"}}).open("table").open("tbody");
  for (const auto& [name, value] : data.run.environment) {
    to.open("tr").leaf("th", name, {{"scope", "row"}}).leaf("td", value).close();
  }
  to.close().close().close().close();
}

}  // namespace lockstep
