// lockstep predict: the classes of pictures.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "app/commands.h"
#include "app/terminal.h"
#include "lockstep/callbacks/progress_output.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/text.h"
#include "lockstep/eval/evaluator.h"
#include "lockstep/pictures/decode_image.h"
#include "lockstep/pictures/picture_text.h"
#include "lockstep/pictures/prepare_picture.h"
#include "lockstep/run/trained_model.h"

namespace lockstep {

namespace {

constexpr int kBarColumns = 24;

// One that could be brought to the network's shape.
struct ReadPicture {
  std::string file;
  std::vector<std::uint8_t> pixels;  // [shape.pixels()]
};

void check_usage(const CommandLine& line) {
  if (line.pictures.empty()) {
    if (line.checkpoint.empty()) fail_usage("predict: expected a CHECKPOINT or pictures");
    if (line.out.empty()) {
      fail_usage("predict {}: expected pictures after it, or --out FILE for the rows of --data",
                 line.checkpoint);
    }
    if (line.json) fail_usage("predict: --json goes with pictures; rows are written as CSV");
    return;
  }
  if (!line.out.empty()) fail_usage("predict: --out goes with rows, not with pictures");
  if (!line.data.empty()) fail_usage("predict: --data goes with rows, not with pictures");
}

void check_channels(const ImageShape& shape) {
  if (shape.channels == 1 || shape.channels == 3) return;
  fail_usage("the model's images have {} channels; pictures can be brought to 1 or 3",
             shape.channels);
}

// As the training rows are framed, or else as their image files were.
ReadPicture read_picture(const std::string& file, const DataOptions& data, const Framing& framing) {
  const MappedFile content(file);
  const ImageShape& shape = data.shape;
  try {
    if (!framing.framed) return {file, fit_image(content.text(), shape, data.images)};
    const Picture picture = decode_image(content.text(), shape.channels);
    return {file, prepare_picture(picture, shape, framing)};
  } catch (const Error& error) {
    throw error.within(file);
  }
}

// A picture that cannot be used gives a line on stderr.
std::vector<ReadPicture> read_pictures(const std::vector<std::string>& files,
                                       const TrainedModel& model) {
  std::vector<ReadPicture> pictures;
  for (const std::string& file : files) {
    try {
      pictures.push_back(read_picture(file, model.experiment.data, model.framing));
    } catch (const Error& error) {
      if (error.code() != ExitCode::kUsage) throw;
      fmt::print(stderr, "lockstep: {}\n", error.what());
    }
  }
  return pictures;
}

// The probabilities of each picture's classes.
std::vector<std::vector<double>> predict(const std::vector<ReadPicture>& pictures,
                                         TrainedModel& model, int threads) {
  RowShare rows;
  rows.shape = model.experiment.data.shape;
  rows.total = static_cast<std::int64_t>(pictures.size());
  rows.unlabelled = true;
  for (const ReadPicture& picture : pictures) {
    rows.numbers.push_back(rows.numbers.size());
    const auto levels = std::as_bytes(std::span(picture.pixels));
    rows.values.insert(rows.values.end(), levels.begin(), levels.end());
  }
  Workers workers(threads, prepare_worker_thread);
  CpuEvaluator evaluator(model.network, workers, model.experiment.parallel.precision,
                         for_levels(model.normalization, model.experiment.data.range),
                         model.experiment.evaluation);
  const std::vector<float> logits = evaluator.logits(model.weights, rows);
  const auto classes = static_cast<std::size_t>(model.network.classes());
  std::vector<std::vector<double>> result;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    result.push_back(probabilities(std::span(logits).subspan(i * classes, classes)));
  }
  return result;
}

// The `count` likeliest classes, the likeliest first.
std::vector<std::size_t> likeliest(const std::vector<double>& probabilities, int count) {
  std::vector<std::size_t> classes(probabilities.size());
  std::iota(classes.begin(), classes.end(), std::size_t{0});
  std::stable_sort(classes.begin(), classes.end(), [&](std::size_t a, std::size_t b) {
    return probabilities[a] > probabilities[b];
  });
  classes.resize(std::min(classes.size(), static_cast<std::size_t>(count)));
  return classes;
}

nlohmann::ordered_json to_json(const std::string& file, const std::vector<double>& probabilities,
                               const std::vector<std::string>& names) {
  nlohmann::ordered_json by_class;
  for (std::size_t i = 0; i < names.size(); ++i) by_class[names[i]] = probabilities[i];
  return {{"file", file},
          {"class", names[likeliest(probabilities, 1).front()]},
          {"probabilities", by_class}};
}

// A bar of kBarColumns columns for a probability of 1.
std::string bar(double probability, TextStyle style) {
  if (!std::isfinite(probability)) probability = 0;  // logits beyond fp32
  if (style == TextStyle::kAscii) {
    return fmt::format("{:<{}}", std::string(std::lround(probability * kBarColumns), '#'),
                       kBarColumns);
  }
  constexpr std::array<std::string_view, 8> kParts = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto eighths = static_cast<std::size_t>(std::lround(probability * kBarColumns * 8));
  std::string text;
  for (std::size_t i = 0; i < eighths / 8; ++i) text += "█";
  text += kParts[eighths % 8];
  const std::size_t columns = (eighths + 7) / 8;
  return text + std::string(kBarColumns - columns, ' ');
}

std::vector<std::string> bar_lines(const std::vector<double>& probabilities,
                                   const std::vector<std::string>& names, int count,
                                   TextStyle style) {
  int name_columns = 0;
  for (const std::string& name : names) {
    name_columns = std::max(name_columns, static_cast<int>(name.size()));
  }
  name_columns = std::min(name_columns, 16);
  std::vector<std::string> lines;
  for (const std::size_t index : likeliest(probabilities, count)) {
    lines.push_back(fmt::format("{:<{}}  {} {:6.2f}%", printable(names[index]), name_columns,
                                bar(probabilities[index], style), 100 * probabilities[index]));
  }
  return lines;
}

// The picture as the network saw it, and the bars beside it.
void print_picture(const Picture& seen, const std::vector<std::string>& bars,
                   const ProgressOutput& output) {
  constexpr int kMostColumns = 64;
  constexpr int kColumnsBeside = 48;  // bars and names
  const int columns = std::clamp(output.columns - kColumnsBeside, 16, kMostColumns);
  const std::vector<std::string> image = picture_text(seen, text_style_of(output), columns);
  const std::string blank(static_cast<std::size_t>(std::min(seen.width, columns)), ' ');
  for (std::size_t i = 0; i < std::max(image.size(), bars.size()); ++i) {
    const std::string& left = i < image.size() ? image[i] : blank;
    if (i < bars.size()) {
      fmt::print("  {}   {}\n", left, bars[i]);
    } else {
      fmt::print("  {}\n", left);
    }
  }
}

void print_predictions(const std::vector<ReadPicture>& pictures,
                       const std::vector<std::vector<double>>& predictions,
                       const TrainedModel& model, int top) {
  const std::vector<std::string> names = class_names_of(model.experiment.data);
  const ProgressOutput output = detect_progress_output(stdout);
  const ImageShape& shape = model.experiment.data.shape;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const std::size_t best = likeliest(predictions[i], 1).front();
    fmt::print("{}{}: {}  {:.2f}%\n", i == 0 ? "" : "\n", printable(pictures[i].file),
               printable(names[best]), 100 * predictions[i][best]);
    print_picture({shape.width, shape.height, shape.channels, pictures[i].pixels},
                  bar_lines(predictions[i], names, top, text_style_of(output)), output);
  }
}

nlohmann::ordered_json to_json(const std::vector<ReadPicture>& pictures,
                               const std::vector<std::vector<double>>& predictions,
                               const TrainedModel& model) {
  const std::vector<std::string> names = class_names_of(model.experiment.data);
  auto json = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    json.push_back(to_json(pictures[i].file, predictions[i], names));
  }
  return json;
}

int predict_pictures(Communicator& comm, const CommandLine& line) {
  std::string checkpoint = line.checkpoint;
  agree(comm, [&] {
    if (checkpoint.empty())
      checkpoint = default_checkpoint("predict: no CHECKPOINT before the pictures");
  });
  TrainedModel model = TrainedModel::load(comm, checkpoint);
  int status = 0;
  comm.begin_long_work("predicting pictures", 0);
  agree(comm, [&] {
    check_channels(model.experiment.data.shape);
    if (comm.rank() != 0) return;
    const std::vector<ReadPicture> pictures = read_pictures(line.pictures, model);
    if (pictures.size() < line.pictures.size()) status = static_cast<int>(ExitCode::kUsage);
    const auto predictions = predict(pictures, model, worker_count(comm, line.threads));
    if (line.json) {
      print_json(to_json(pictures, predictions, model));
    } else {
      print_predictions(pictures, predictions, model, line.top);
    }
  });
  return broadcast_value(comm, status, /*root=*/0);
}

}  // namespace

int run_predict(Communicator& comm, const CommandLine& line) {
  agree(comm, [&] { check_usage(line); });
  return line.pictures.empty() ? predict_rows(comm, line) : predict_pictures(comm, line);
}

}  // namespace lockstep
