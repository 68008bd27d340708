// lockstep inspect of data: its rows, labels and pixels, and some of its images.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/commands.h"
#include "app/terminal.h"
#include "lockstep/core/text.h"
#include "lockstep/data/survey.h"

namespace lockstep {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kMostClassesShown = 32;
constexpr int kMostImageColumns = 28;

// Of the pixels of the rows read.
struct PixelFacts {
  int least = 0;
  int most = 0;
  double mean = 0;
  double deviation = 0;
};

PixelFacts facts_of(const std::array<std::int64_t, 256>& counts) {
  PixelFacts facts{255, 0};
  double count = 0;
  double sum = 0;
  double squares = 0;
  for (int value = 0; value < 256; ++value) {
    const std::int64_t of_value = counts[static_cast<std::size_t>(value)];
    if (of_value == 0) continue;
    facts.least = std::min(facts.least, value);
    facts.most = value;
    const auto weight = static_cast<double>(of_value);
    count += weight;
    sum += weight * value;
    squares += weight * value * value;
  }
  facts.mean = sum / count;
  facts.deviation = std::sqrt(std::max(squares / count - facts.mean * facts.mean, 0.0));
  return facts;
}

// Classes up to the largest label.
std::int64_t class_count(const SourceSurvey& source) {
  const auto last = std::find_if(source.class_counts.rbegin(), source.class_counts.rend(),
                                 [](std::int64_t rows) { return rows > 0; });
  return source.class_counts.rend() - last;
}

Json to_json(const SourceSurvey& source, const ImageShape& shape) {
  const PixelFacts facts = facts_of(source.pixel_counts);
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
               {"pixel_least", facts.least},
               {"pixel_most", facts.most},
               {"pixel_mean", facts.mean},
               {"pixel_deviation", facts.deviation},
               {"layout_doubt", nullptr}};
  if (!source.layout_doubt.empty()) json["layout_doubt"] = source.layout_doubt;
  for (std::int64_t label = 0; source.labelled && label < class_count(source); ++label) {
    json["label_counts"][std::to_string(label)] =
        source.class_counts[static_cast<std::size_t>(label)];
  }
  return json;
}

void print_labels(const SourceSurvey& source) {
  if (!source.labelled) {
    fmt::print("labels   none\n");
    return;
  }
  const std::int64_t classes = class_count(source);
  fmt::print("labels   from 0 to {}\n", classes - 1);
  for (std::int64_t label = 0; label < std::min(classes, kMostClassesShown); ++label) {
    const std::int64_t rows = source.class_counts[static_cast<std::size_t>(label)];
    fmt::print("{:>8}  {:>9} {}  {:5.2f}%\n", label, rows, rows == 1 ? "row " : "rows",
               100 * static_cast<double>(rows) / static_cast<double>(source.rows_read));
  }
  if (classes > kMostClassesShown) fmt::print("     and {} more\n", classes - kMostClassesShown);
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
    const Picture picture{shape.width, shape.height, shape.channels, row.pixels};
    std::vector<std::string> image = picture_text(picture, text_style_of(output), columns);
    image.push_back(
        fmt::format("{:<{}}", source.labelled ? std::to_string(row.label) : "", columns));
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
  const PixelFacts facts = facts_of(seen.pixel_counts);
  fmt::print("{}: {}, {} bytes{}\n", printable(seen.name), seen.format, seen.bytes,
             seen.packed_bytes > 0 ? " inflated" : "");
  fmt::print("rows     {}{}\n", exact ? "" : "about ", seen.rows);
  if (seen.rows_read < seen.rows)
    fmt::print("         what follows is of {} of them\n", seen.rows_read);
  fmt::print("images   {} each: {}x{}x{}{}\n", count_of(shape.pixels(), "pixel"), shape.height,
             shape.width, shape.channels, seen.format == "CSV" ? " (a guess)" : "");
  fmt::print("pixels   from {} to {}, mean {:.2f}, deviation {:.2f}\n", facts.least, facts.most,
             facts.mean, facts.deviation);
  if (!seen.layout_doubt.empty()) fmt::print("warning: {}\n", seen.layout_doubt);
  print_labels(seen);
  print_images(seen, shape);
}

}  // namespace lockstep
