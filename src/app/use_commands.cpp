// The commands that use trained weights on rows: evaluate, predict, submit.

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <string>

#include "app/commands.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/text.h"
#include "lockstep/data/row_share.h"
#include "lockstep/data/training_data.h"
#include "lockstep/eval/evaluator.h"
#include "lockstep/report/text_report.h"
#include "lockstep/run/trained_model.h"

namespace lockstep {

namespace {

// The source that the command line names, or `otherwise` from the experiment.
SourceOptions source_of(const CommandLine& line, const SourceOptions& otherwise,
                        const char* field) {
  if (!line.data.empty()) return {line.data, line.member, line.labels};
  if (otherwise.path.empty()) {
    throw Error(
        ExitCode::kUsage,
        fmt::format("no data: the experiment has no {}.path; name a file with --data", field),
        Reach::kAgreed);
  }
  return below_root(otherwise);
}

// Writes `header` and a line for each row of all ranks, in row order.
void write_lines(Communicator& comm, const std::string& out, const std::string& header,
                 const RowShare& rows,
                 const std::function<void(std::string&, std::int64_t)>& line) {
  std::string mine;
  for (std::int64_t row = 0; row < rows.size(); ++row) line(mine, row);
  const auto bytes = std::as_bytes(std::span(mine));
  std::vector<std::vector<std::byte>> to_peers(static_cast<std::size_t>(comm.world_size()));
  to_peers.front().assign(bytes.begin(), bytes.end());
  const auto parts = comm.all_to_all(std::move(to_peers));
  agree(comm, [&] {
    if (comm.rank() != 0) return;
    std::string text = header;
    for (const auto& part : parts) {
      text.append(reinterpret_cast<const char*>(part.data()), part.size());
    }
    write_output_file(out, text);
    fmt::print("{} to {}\n", count_of(rows.total, "row"), out);
  });
}

// A class name as a field of a CSV file (RFC 4180).
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  quoted += '"';
  return quoted;
}

// Appends the line of a row. `row` is its id, or else its number from 1 in the source.
using RowLine =
    std::function<void(std::string& text, const std::string& row, std::span<const float> logits)>;

int write_predictions(Communicator& comm, const CommandLine& line, TrainedModel& model,
                      const std::function<std::string(const RowShare& rows)>& header,
                      const RowLine& write) {
  const SourceOptions source = source_of(line, model.experiment.data.test, "data.test");
  check_same_source(comm, source);
  const RowShare rows = load_rows(comm, source, model.experiment.data, Labels::kOptional);
  Workers workers(worker_count(comm, line.threads), prepare_worker_thread);
  CpuEvaluator evaluator(model.network, workers, model.experiment.parallel.precision,
                         model.normalization, model.experiment.evaluation);
  const std::vector<float> logits = evaluator.logits(model.weights, rows);
  const auto classes = static_cast<std::size_t>(model.network.classes());
  write_lines(comm, line.out, header(rows), rows, [&](std::string& text, std::int64_t row) {
    const auto at = static_cast<std::size_t>(row);
    const std::string name =
        rows.ids.empty() ? std::to_string(rows.numbers[at] + 1) : csv_field(rows.ids[at]);
    write(text, name, std::span(logits).subspan(at * classes, classes));
  });
  return 0;
}

}  // namespace

static void check_top_k(int top_k, int classes) {
  if (top_k < classes) return;
  throw Error(ExitCode::kUsage,
              fmt::format("--top-k is {}; expected below the model's classes, {}", top_k, classes),
              Reach::kAgreed);
}

static void check_shifts(int pixels, const ImageShape& shape) {
  const int shorter = std::min(shape.height, shape.width);
  if (pixels < shorter) return;
  throw Error(ExitCode::kUsage,
              fmt::format("--average-shifts is {}; expected below the image's shorter side, {}",
                          pixels, shorter),
              Reach::kAgreed);
}

int run_evaluate(Communicator& comm, const CommandLine& line) {
  if (!line.out.empty()) check_out(comm, line.out);
  TrainedModel model = TrainedModel::load(comm, line.checkpoint);
  const DataOptions& options = model.experiment.data;
  EvaluationOptions& evaluated = model.experiment.evaluation;
  if (line.average_flips) evaluated.average_flips = true;
  if (line.average_shifts > 0) evaluated.average_shifts = line.average_shifts;
  if (line.top_k > 0) evaluated.top_k = line.top_k;
  check_top_k(line.top_k, model.network.classes());
  check_shifts(line.average_shifts, model.network.input());
  RowShare rows;
  if (line.data.empty()) {
    const TrainingData data = load_training_data(comm, model.experiment);
    check_training_rows(comm, line.checkpoint, data.summary().digest);
    rows = data.validation();
  } else {
    const SourceOptions source = source_of(line, options.test, "data.test");
    check_same_source(comm, source);
    rows = load_rows(comm, source, options, Labels::kRequired);
  }
  Workers workers(worker_count(comm, line.threads), prepare_worker_thread);
  CpuEvaluator evaluator(model.network, workers, model.experiment.parallel.precision,
                         model.normalization, model.experiment.evaluation);
  const Evaluation evaluation =
      evaluator.evaluate(comm, model.weights, rows, class_names_of(options));
  agree(comm, [&] {
    if (comm.rank() != 0) return;
    const std::string json = evaluation_json(evaluation);
    if (!line.out.empty()) write_output_file(line.out, json);
    if (line.json) {
      fmt::print("{}", json);
    } else if (evaluation.rows() == 0) {
      fmt::print("no validation rows\n");
    } else {
      fmt::print("accuracy {:.4f}{}  loss {:.6f}  rows {}\n\n{}\n{}", evaluation.accuracy(),
                 top_k_text(evaluation), evaluation.loss(), evaluation.rows(),
                 classification_report(evaluation), confusion_matrix_text(evaluation));
    }
  });
  return 0;
}

int predict_rows(Communicator& comm, const CommandLine& line) {
  check_out(comm, line.out);
  TrainedModel model = TrainedModel::load(comm, line.checkpoint);
  const std::vector<std::string> names = class_names_of(model.experiment.data);
  const auto header = [&](const RowShare& rows) {
    std::string text = rows.ids.empty() ? "row,class" : "id,class";
    for (const std::string& name : names) text += fmt::format(",{}", csv_field("p_" + name));
    return text + "\n";
  };
  return write_predictions(
      comm, line, model, header,
      [&](std::string& text, const std::string& row, std::span<const float> logits) {
        text += fmt::format("{},{}", row, csv_field(names[likeliest(logits)]));
        for (const double p : probabilities(logits)) text += fmt::format(",{:.6f}", p);
        text += '\n';
      });
}

int run_submit(Communicator& comm, const CommandLine& line) {
  check_out(comm, line.out);
  TrainedModel model = TrainedModel::load(comm, line.checkpoint);
  const std::vector<std::string>& labels = model.experiment.data.labels;
  return write_predictions(
      comm, line, model, [&](const RowShare&) { return line.columns + "\n"; },
      [&](std::string& text, const std::string& row, std::span<const float> logits) {
        const std::size_t index = likeliest(logits);
        fmt::format_to(std::back_inserter(text), "{},{}\n", row,
                       labels.empty() ? std::to_string(index) : csv_field(labels[index]));
      });
}

}  // namespace lockstep
