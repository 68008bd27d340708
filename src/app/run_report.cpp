#include "app/run_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <vector>

#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/philox.h"
#include "lockstep/core/reason.h"
#include "lockstep/eval/evaluator.h"
#include "lockstep/pictures/thumbnail.h"
#include "lockstep/report/report_files.h"
#include "lockstep/run/run_record.h"

namespace lockstep {

namespace {

constexpr std::size_t kMostMistakes = 48;
constexpr std::size_t kShowcaseRows = 24;
constexpr std::int64_t kSamples = 10;
constexpr int kSampleEpochs = 4;

std::span<const float> logits_of(const EvaluatedRun& run, std::int64_t index) {
  const auto classes = static_cast<std::size_t>(run.network.classes());
  return run.logits.subspan(static_cast<std::size_t>(index) * classes, classes);
}

PredictedRow predicted_row(const EvaluatedRun& run, std::int64_t index) {
  const RowShare& rows = run.data.validation();
  const auto at = static_cast<std::size_t>(index);
  const std::size_t predicted = likeliest(logits_of(run, index));
  const double confidence = probabilities(logits_of(run, index))[predicted];
  PredictedRow row;
  row.number = static_cast<std::int64_t>(rows.numbers[at]) + 1;
  row.truth = rows.labels[at];
  row.predicted = static_cast<int>(predicted);
  row.confidence = std::isfinite(confidence) ? confidence : 0;
  row.image = make_thumbnail(rows.shape,
                             levels_of(rows.pixels({index, index + 1}), run.data.options().range));
  return row;
}

bool is_wrong(const EvaluatedRun& run, std::int64_t index) {
  const int truth = run.data.validation().labels[static_cast<std::size_t>(index)];
  return static_cast<int>(likeliest(logits_of(run, index))) != truth;
}

void keep_most_confident(std::vector<PredictedRow>& rows) {
  std::sort(rows.begin(), rows.end(), [](const PredictedRow& a, const PredictedRow& b) {
    return a.confidence != b.confidence ? a.confidence > b.confidence : a.number < b.number;
  });
  if (rows.size() > kMostMistakes) rows.resize(kMostMistakes);
}

std::vector<PredictedRow> own_mistakes(const EvaluatedRun& run) {
  std::vector<PredictedRow> rows;
  for (std::int64_t index = 0; index < run.data.validation().size(); ++index) {
    if (!is_wrong(run, index)) continue;
    rows.push_back(predicted_row(run, index));
    if (rows.size() == 2 * kMostMistakes) keep_most_confident(rows);
  }
  keep_most_confident(rows);
  return rows;
}

// Places among all validation rows, chosen by the seed alone, ascending.
std::set<std::int64_t> showcase_places(std::uint64_t seed, std::int64_t total) {
  const auto wanted = std::min(kShowcaseRows, static_cast<std::size_t>(total));
  std::set<std::int64_t> places;
  for (std::uint32_t draw = 0; places.size() < wanted; ++draw) {
    const PhiloxBlock words = philox(philox_key(seed, Purpose::kShowcase), {draw, 0, 0, 0});
    const std::uint64_t word = std::uint64_t{words[0]} << 32U | words[1];
    places.insert(static_cast<std::int64_t>(word % static_cast<std::uint64_t>(total)));
  }
  return places;
}

std::vector<PredictedRow> own_showcase(const EvaluatedRun& run) {
  const RowShare& rows = run.data.validation();
  std::vector<PredictedRow> own;
  for (const std::int64_t place : showcase_places(run.experiment.seed, rows.total)) {
    const std::int64_t index = place - rows.first;
    if (index >= 0 && index < rows.size()) own.push_back(predicted_row(run, index));
  }
  return own;
}

// What travels of a row beside its picture's pixels.
struct WireRow {
  std::int64_t number;
  std::int32_t truth, predicted;
  double confidence;
  std::int32_t width, height, channels, bytes;
};

// The rows of all ranks, in rank order.
std::vector<PredictedRow> gather_rows(Communicator& comm, const std::vector<PredictedRow>& own) {
  std::string mine;
  for (const PredictedRow& row : own) {
    const WireRow wire{row.number,         row.truth,
                       row.predicted,      row.confidence,
                       row.image.width,    row.image.height,
                       row.image.channels, static_cast<std::int32_t>(row.image.pixels.size())};
    mine.append(reinterpret_cast<const char*>(&wire), sizeof(wire));
    mine.append(row.image.pixels.begin(), row.image.pixels.end());
  }
  std::vector<PredictedRow> rows;
  for (const std::string& part : gather_texts(comm, mine)) {
    for (std::size_t at = 0; at < part.size();) {
      WireRow wire{};
      std::memcpy(&wire, part.data() + at, sizeof(wire));
      at += sizeof(wire);
      const auto bytes = std::span(part).subspan(at, static_cast<std::size_t>(wire.bytes));
      at += bytes.size();
      rows.push_back({wire.number, wire.truth, wire.predicted, wire.confidence,
                      Picture{wire.width, wire.height, wire.channels,
                              std::vector<std::uint8_t>(bytes.begin(), bytes.end())}});
    }
  }
  return rows;
}

// Rows spread over lane 0, which rank 0 owns at every world size.
std::vector<AugmentedRow> training_samples(const EvaluatedRun& run) {
  constexpr int kLane = 0;
  const ImageShape& shape = run.experiment.data.shape;
  const std::int64_t size = run.data.lane_size(kLane);
  const std::int64_t count = std::min(kSamples, size);
  std::vector<AugmentedRow> samples;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t slot = (2 * i + 1) * size / (2 * count);
    const TrainingRow row = run.data.lane_row(kLane, slot);
    AugmentedRow sample{
        static_cast<std::int64_t>(row.number) + 1, row.label, {make_thumbnail(shape, row.levels)}};
    for (int epoch = 0; epoch < kSampleEpochs && run.experiment.data.augmentation.any(); ++epoch) {
      sample.images.push_back(make_thumbnail(
          shape, run.data.augmented(kLane, slot, epoch, run.experiment.parallel.global_batch)));
    }
    samples.push_back(std::move(sample));
  }
  return samples;
}

std::string name_of_weights(const RunRecord& record, const std::string& digest) {
  for (const MetricsPoint& point : record.epochs) {
    if (point.weights_digest != digest) continue;
    return fmt::format("weights of epoch {} of {}", point.epoch, record.epochs.back().epoch);
  }
  return "weights xxh3:" + digest;
}

ReportData report_data(const EvaluatedRun& run) {
  ReportData data;
  data.name = run.experiment.name;
  data.run = read_run_record(run.run_dir);
  const std::string digest = run.weights_digest.hex();
  data.weights = name_of_weights(data.run, digest);
  data.run.environment.emplace_back("weights", "xxh3:" + digest);
  data.run.environment.emplace_back("data", "xxh3:" + run.data.summary().digest.hex());
  data.validation = run.validation;
  data.samples = training_samples(run);
  data.training_class_counts = run.data.summary().training_class_counts;
  data.validation_class_counts = run.data.summary().validation_class_counts;
  data.input = run.network.input();
  data.layers = run.network.layers();
  data.experiment = to_text(run.experiment);
  return data;
}

}  // namespace

void write_report(Communicator& comm, const EvaluatedRun& run, const fs::path& folder) {
  std::vector<PredictedRow> mistakes = gather_rows(comm, own_mistakes(run));
  std::vector<PredictedRow> showcase = gather_rows(comm, own_showcase(run));
  comm.begin_long_work("writing the report", 0);
  agree(comm, [&] {
    if (comm.rank() != 0) return;
    ReportData data = report_data(run);
    keep_most_confident(mistakes);
    data.mistakes = std::move(mistakes);
    data.showcase = std::move(showcase);
    std::error_code error;
    fs::create_directories(folder, error);
    if (error)
      fail_usage("{}: cannot be made: {}", folder.string(), reason_of(error.value(), folder));
    for (const auto& [name, content] : report_files(data)) {
      write_file_atomically(folder / name, content);
    }
  });
}

}  // namespace lockstep
