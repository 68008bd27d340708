// lockstep inspect of data: its rows, labels and pixels, and some of its images.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/commands.h"
#include "app/terminal.h"
#include "lockstep/config/experiment.h"
#include "lockstep/core/text.h"
#include "lockstep/data/survey.h"

namespace lockstep {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostClassesShown = 32;
constexpr int kMostImageColumns = 28;

// Names of the classes as the source has them.
std::vector<std::string> labels_of(const SourceSurvey& source) {
  std::vector<std::string> labels = source.options.labels;
  for (int label = static_cast<int>(labels.size()); label < source.options.classes; ++label) {
    labels.push_back(std::to_string(label));
  }
  return labels;
}

// What an experiment on these rows would say; that its labels are numbers from 0 need not be
// said, nor what is not to be known from one look.
DataOptions section_of(DataOptions options) {
  if (options.class_names == options.labels) options.class_names.clear();
  constexpr std::size_t kMostLabelsTold = 100;
  if (options.labels.size() > kMostLabelsTold) options.labels.clear();
  if (options.range == kByteRange) options.range = {};
  options.label_column = DataOptions().label_column;
  return options;
}

Json to_json(const SourceSurvey& source, const ImageShape& shape) {
  const PixelFacts& facts = source.pixels;
  Json json = {{"kind", "data"},
               {"name", source.name},
               {"format", source.format},
               {"bytes", source.bytes},
               {"rows", source.rows},
               {"rows_are_estimated", source.row_count == RowCount::kEstimated},
               {"rows_read", source.rows_read},
               {"columns", shape.pixels() + (source.labelled && source.format == "CSV" ? 1 : 0)},
               {"shape", {shape.height, shape.width, shape.channels}},
               {"labelled", source.labelled},
               {"label_counts", Json::object()},
               {"found", source.found},
               {"pixel_least", facts.least},
               {"pixel_most", facts.most},
               {"pixel_mean", facts.mean},
               {"pixel_deviation", facts.deviation},
               {"layout_doubt", nullptr},
               {"data_section", data_section(section_of(source.options))}};
  if (!source.layout_doubt.empty()) json["layout_doubt"] = source.layout_doubt;
  const std::vector<std::string> labels = labels_of(source);
  for (std::size_t i = 0; source.labelled && i < labels.size(); ++i) {
    json["label_counts"][labels[i]] = source.class_counts[i];
  }
  return json;
}

void print_labels(const SourceSurvey& source) {
  if (!source.labelled) {
    fmt::print("labels   none\n");
    return;
  }
  const std::vector<std::string> labels = labels_of(source);
  fmt::print("labels   {}\n", source.options.labels.empty()
                                  ? fmt::format("from 0 to {}", labels.size() - 1)
                                  : count_of(labels.size(), "class", "classes"));
  std::size_t columns = 8;
  for (const std::string& label : labels) columns = std::max(columns, label.size());
  columns = std::min<std::size_t>(columns, 32);
  for (std::size_t i = 0; i < std::min(labels.size(), kMostClassesShown); ++i) {
    const std::int64_t rows = source.class_counts[i];
    fmt::print("{:>{}}  {:>9} {}  {:5.2f}%\n", printable(labels[i]), columns, rows,
               rows == 1 ? "row " : "rows",
               100 * static_cast<double>(rows) / static_cast<double>(source.rows_read));
  }
  if (labels.size() > kMostClassesShown) {
    fmt::print("     and {} more\n", labels.size() - kMostClassesShown);
  }
}

// The first rows, as many beside each other as the terminal has room for.
void print_images(const SourceSurvey& source, const ImageShape& shape) {
  if (shape.height == 1 || (shape.channels != 1 && shape.channels != 3)) return;
  const ProgressOutput output = detect_progress_output(stdout);
  const int columns = std::min(shape.width, kMostImageColumns);
  const auto fitting = static_cast<std::size_t>(std::max(1, (output.columns + 2) / (columns + 2)));
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < std::min(fitting, source.first_rows.size()); ++i) {
    const TrainingRow& row = source.first_rows[i];
    const Picture picture{shape.width, shape.height, shape.channels, row.levels};
    std::vector<std::string> image = picture_text(picture, text_style_of(output), columns);
    image.push_back(fmt::format(
        "{:<{}}",
        source.labelled ? printable(labels_of(source)[static_cast<std::size_t>(row.label)]) : "",
        columns));
    lines.resize(image.size());
    for (std::size_t y = 0; y < image.size(); ++y) lines[y] += (i == 0 ? "" : "  ") + image[y];
  }
  fmt::print("\n");
  for (const std::string& each : lines) fmt::print("{}\n", each);
}

}  // namespace

void inspect_data(Communicator& comm, const CommandLine& line) {
  const SourceOptions source{line.checkpoint, line.member, line.labels};
  const bool named = !line.label_column.empty();
  const DataOptions options =
      guess_options(source, named ? line.label_column : DataOptions().label_column);
  const SourceSurvey seen =
      survey(comm, source, options, named ? Labels::kRequired : Labels::kOptional);
  const ImageShape& shape = options.shape;
  if (line.json) {
    print_json(to_json(seen, shape));
    return;
  }
  const bool exact = seen.row_count == RowCount::kExact;
  const PixelFacts& facts = seen.pixels;
  fmt::print("{}: {}, {} bytes{}\n", printable(seen.name), seen.format, seen.bytes,
             seen.packed_bytes > 0 ? " inflated" : "");
  fmt::print("rows     {}{}\n", exact ? "" : "about ", seen.rows);
  if (seen.rows_read < seen.rows)
    fmt::print("         what follows is of {} of them\n", seen.rows_read);
  fmt::print("images   {} each: {}x{}x{}{}\n", count_of(shape.pixels(), "pixel"), shape.height,
             shape.width, shape.channels, seen.format == "CSV" ? " (a guess)" : "");
  if (!seen.found.empty()) fmt::print("found    {}\n", printable(seen.found));
  fmt::print("pixels   from {:g} to {:g}, mean {:.2f}, deviation {:.2f}\n", facts.least, facts.most,
             facts.mean, facts.deviation);
  if (!seen.layout_doubt.empty()) fmt::print("warning: {}\n", seen.layout_doubt);
  print_labels(seen);
  print_images(seen, shape);
  fmt::print("\n{}", data_section(section_of(seen.options)));
}

}  // namespace lockstep
