#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "app/commands.h"
#include "app/dry_run.h"
#include "app/run_report.h"
#include "lockstep/callbacks/event_file.h"
#include "lockstep/callbacks/make_callbacks.h"
#include "lockstep/callbacks/status_file.h"
#include "lockstep/checkpoint/checkpoint_folder.h"
#include "lockstep/comm/last_words.h"
#include "lockstep/core/error.h"
#include "lockstep/core/fault_point.h"
#include "lockstep/core/files.h"
#include "lockstep/core/output.h"
#include "lockstep/core/text.h"
#include "lockstep/data/measure_framing.h"
#include "lockstep/data/training_data.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/report/model_table.h"
#include "lockstep/report/text_report.h"
#include "lockstep/run/memory_checkpoints.h"
#include "lockstep/run/resume.h"
#include "lockstep/run/run_files.h"
#include "lockstep/run/run_folder.h"
#include "lockstep/run/run_lock.h"
#include "lockstep/run/run_record.h"
#include "lockstep/run/trained_model.h"
#include "lockstep/train/run_state.h"
#include "lockstep/train/trainer.h"

namespace lockstep {

namespace {

// For the terminal, which need not show thousands of lines.
std::string report_of_classes(const Evaluation& validation) {
  constexpr int kMostShown = 100;
  if (validation.classes <= kMostShown) return classification_report(validation);
  return fmt::format("{} classes: {} has a line for each\n", validation.classes,
                     kClassificationFile);
}

void print_outcome(const TrainResult& result, const fs::path& run_dir) {
  const Evaluation& validation = result.validation;
  say("\n");
  if (validation.rows() > 0) {
    const ClassMetrics macro = validation.macro_average();
    say("accuracy {:.4f}{}  precision {:.4f}  recall {:.4f}  F1 {:.4f}  (macro averages, {})\n\n"
        "{}\n{}\n",
        validation.accuracy(), top_k_text(validation), macro.precision, macro.recall, macro.f1,
        count_of(validation.rows(), "validation row"), report_of_classes(validation),
        confusion_matrix_text(validation));
  } else {
    say("no validation rows\n\n");
  }
  say("run folder   {}\n", run_dir.string());
  if (result.best_epoch >= 0) {
    say("best weights {}  (epoch {})\n", (best_link(run_dir) / kWeightsFile).string(),
        result.best_epoch + 1);
  }
  say("reports      {}, {}, {}, {}\nweights xxh3:{}\n", kReportPage, kEvaluationFile,
      kClassificationFile, kMetricsFile, result.weights_digest.hex());
}

void write_reports(const TrainResult& result, const fs::path& run_dir) {
  if (result.steps_run > 0) write_file_atomically(run_dir / kTimesFile, times_json(result));
  write_file_atomically(run_dir / kEvaluationFile, evaluation_json(result.validation));
  const std::string text = result.validation.rows() == 0
                               ? "no validation rows\n"
                               : classification_report(result.validation) + "\n" +
                                     confusion_matrix_text(result.validation);
  write_file_atomically(run_dir / kClassificationFile, text);
}

// The pictures of the report, for TensorBoard.
void show_pictures(const fs::path& run_dir, std::int64_t step) {
  EventFile events(run_dir / kTensorboardFolder);
  for (const fs::path name : {kConfusionPng, kMisclassifiedPng}) {
    events.add_image(name.stem().string(), step, read_file(run_dir / name));
  }
}

// In one line, however many there are.
void warn_of_missing_classes(const std::vector<std::int64_t>& class_counts) {
  const auto first = std::find(class_counts.begin(), class_counts.end(), 0);
  if (first == class_counts.end()) return;
  const auto missing = std::count(first, class_counts.end(), 0);
  spdlog::warn("{} of {} classes {} no training row, {} {}", missing, class_counts.size(),
               missing == 1 ? "has" : "have", missing == 1 ? "it is" : "the first of them is",
               first - class_counts.begin());
}

// Collective. The numbers must be written; what could not be drawn, on a full disk for one, can
// be drawn later.
void report_all(Communicator& comm, const PreparedExperiment& prepared, const TrainingData& data,
                const TrainResult& result, const fs::path& run_dir) {
  comm.begin_long_work("writing the reports", 0);
  agree(comm, [&] {
    if (comm.rank() != 0) return;
    fault_point("report", result.steps);
    write_reports(result, run_dir);
  });
  try {
    write_report(comm,
                 {prepared.experiment, *prepared.network, data, result.validation,
                  result.validation_logits, result.weights_digest, run_dir},
                 run_dir);
    agree(comm, [&] {
      if (comm.rank() == 0) show_pictures(run_dir, result.steps);
    });
  } catch (const Error& error) {
    if (error.reach() != Reach::kAgreed) throw;
    if (comm.rank() == 0) {
      spdlog::warn("the report is not whole: {}; \"lockstep report {}\" makes it anew",
                   error.what(), run_dir.string());
    }
  }
}

// Collective: weights of a file take the place of those that the seed draws.
void begin_with(Communicator& comm, const PreparedExperiment& prepared, InitialWeights initial,
                const fs::path& run_dir, Stepper& stepper) {
  agree(comm, [&] {
    if (comm.rank() != 0) return;
    const std::string table =
        initial_table(*prepared.network, initial, prepared.experiment.initialize->path);
    say("{}\n", table);
    write_file_atomically(run_dir / kInitialWeightsFile, table);
  });
  stepper.set_replica(begun_with(stepper.replica(), std::move(initial.values),
                                 taken_statistics(*prepared.network, initial)));
}

// What is trained on what, before it begins.
void tell_of_start(const Network& network, const std::string& device, const DataSummary& data) {
  say("{}\ndevice {}\n", model_table(network), device);
  if (!data.found.empty()) say("data   {}\n", printable(data.found));
  warn_of_missing_classes(data.training_class_counts);
  if (!data.layout_doubt.empty()) spdlog::warn("data.train: {}", data.layout_doubt);
}

}  // namespace

int run_train(Communicator& comm, const CommandLine& line) {
  const std::vector<Place> places = gather_places(comm);
  const bool root = comm.rank() == 0;
  PreparedExperiment prepared = prepare(comm, line);
  const auto& [experiment, network, device] = prepared;
  if (line.print_config) {
    agree(comm, [&] {
      if (root) fmt::print("{}", to_text_with_origins(line.experiment, line.overrides));
    });
    return 0;
  }
  if (line.dry_run) {
    dry_run(comm, prepared, line);
    return 0;
  }
  check_least_memory(comm, prepared);
  const TrainingData data = load_training_data(comm, line, prepared);
  check_least_memory(comm, prepared);  // where the classes were counted, it is known only now
  prepared.experiment = with_found(experiment, data);
  if (root) tell_of_start(*network, device.note(), data.summary());
  const int threads = worker_count(comm, line.threads);
  Workers workers(threads, prepare_worker_thread);
  RunLock lock;
  StartPoint start = find_start(comm, experiment, line.run_dir, line.resume, lock);
  if (root && !start.files.empty()) warn_of_changes(start.run_dir, places.front(), device.name());
  // A run that goes on does not read them again.
  std::optional<InitialWeights> initial;
  if (start.files.empty()) initial = find_initial_weights(comm, experiment, *network);
  const fs::path run_dir = make_run_folder(comm, experiment, start.run_dir.string(), device.name(),
                                           threads, places, lock);
  if (root && !start.files.empty()) say("going on in {}\n", run_dir.string());
  prepare_last_words([run_dir](const std::string& reason) { mark_as_failed(run_dir, reason); });
  const RunBegins begins = start.files.empty() ? RunBegins::kAnew : RunBegins::kFromCheckpoint;
  const fs::path memory = prepare_memory_folder(comm, experiment.checkpoint, run_dir, begins);
  auto callbacks = make_callbacks(experiment.callbacks, experiment.train.log_every_steps,
                                  detect_progress_output(stdout));
  TrainSettings settings = train_settings(experiment, run_dir);
  settings.metadata = metadata_of(experiment, data.summary().normalization,
                                  measure_framing(comm, data, experiment.data.shape));
  settings.memory_folder = memory;
  settings.resume_from = std::move(start.files);
  if (initial) settings.initial_digest = initial->digest.hex();
  settings.stop_requested = signal_came;
  const auto stepper = device.make_stepper(comm, *network, data, workers, experiment);
  if (initial) begin_with(comm, prepared, std::move(*initial), run_dir, *stepper);
  const auto evaluator =
      device.make_evaluator(*network, workers, data.summary().normalization, experiment);
  const TrainResult result =
      train(comm, *network, data, {*stepper, *evaluator}, settings, callbacks);
  if (result.interrupted) {
    if (root) {
      say("saved in {}; the same command with --resume {} goes on\n", run_dir.string(),
          run_dir.string());
    }
    return static_cast<int>(ExitCode::kRestart);
  }
  report_all(comm, prepared, data, result, run_dir);
  if (root) print_outcome(result, run_dir);
  return 0;
}

}  // namespace lockstep
