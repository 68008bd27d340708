// The report of a run or of a sweep, and several runs compared.

#include <fmt/format.h>

#include "app/commands.h"
#include "app/run_report.h"
#include "app/sweep_folder.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/reason.h"
#include "lockstep/eval/evaluator.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/report/compare_page.h"
#include "lockstep/report/sweep_page.h"
#include "lockstep/run/run_files.h"
#include "lockstep/run/run_record.h"
#include "lockstep/run/trained_model.h"

namespace lockstep {

namespace {

int report_one(Communicator& comm, const CommandLine& line) {
  const std::string& run_dir = line.runs.front();
  agree(comm, [&] { read_run_record(run_dir); });  // before the long work
  TrainedModel model = TrainedModel::load(comm, run_dir);
  const TrainingData data = load_training_data(comm, model.experiment);
  check_training_rows(comm, run_dir, data.summary().digest);
  Workers workers(worker_count(comm, line.threads), prepare_worker_thread);
  CpuEvaluator evaluator(model.network, workers, model.experiment.parallel.precision,
                         model.normalization, model.experiment.evaluation);
  const std::vector<float> logits = evaluator.logits(model.weights, data.validation());
  const Evaluation validation =
      evaluator.evaluate(comm, logits, data.validation(), class_names_of(model.experiment.data));
  const fs::path folder = line.out.empty() ? run_dir : line.out;
  write_report(comm,
               {model.experiment, model.network, data, validation, logits,
                model.weights.digest(model.network), run_dir},
               folder);
  if (comm.rank() == 0) fmt::print("{}\n", (folder / kReportPage).string());
  return 0;
}

ComparedRun compared_run(const fs::path& run_dir) {
  const Experiment experiment = load_kept_experiment((run_dir / kExperimentFile).string());
  const Network network = make_network(experiment);
  return {experiment.name, read_run_record(run_dir), network.parameter_count(),
          fields_of(experiment)};
}

int compare(Communicator& comm, const CommandLine& line) {
  agree(comm, [&] {
    if (comm.rank() != 0) return;
    std::vector<ComparedRun> runs;
    for (const std::string& run_dir : line.runs) runs.push_back(compared_run(run_dir));
    const fs::path out = line.out.empty() ? "compare.html" : line.out;
    if (fs::is_directory(out)) fail_usage("--out {}: is a folder; expected a file", out.string());
    write_output_file(out, compare_page(runs));
    fmt::print("{}\n", out.string());
  });
  return 0;
}

int report_sweep(Communicator& comm, const CommandLine& line) {
  agree(comm, [&] {
    if (comm.rank() != 0) return;
    const fs::path from = line.runs.front();
    const fs::path folder = line.out.empty() ? from : fs::path(line.out);
    const Sweep sweep = read_sweep(from);
    std::error_code error;
    fs::create_directories(folder, error);
    if (error)
      fail_usage("{}: cannot be made: {}", folder.string(), reason_of(error.value(), folder));
    write_file_atomically(folder / "sweep.html", sweep_page(sweep));
    fmt::print("{}\n", sweep_table(sweep));
    if (const SweptRun* best = best_run(sweep)) {
      write_file_atomically(folder / "best.textproto", sweep.best_experiment);
      fmt::print("best run        {}\nits experiment  {}\n", (from / best->folder).string(),
                 (folder / "best.textproto").string());
    }
    fmt::print("page            {}\n", (folder / "sweep.html").string());
  });
  return 0;
}

}  // namespace

int run_report(Communicator& comm, const CommandLine& line) {
  if (line.runs.size() == 1 && is_sweep(line.runs.front())) return report_sweep(comm, line);
  return line.runs.size() == 1 ? report_one(comm, line) : compare(comm, line);
}

}  // namespace lockstep
