#include "app/command_line.h"

#include <CLI/CLI.hpp>
#include <map>
#include <string_view>
#include <utility>

#include "app/version.h"
#include "lockstep/config/experiment.h"
#include "lockstep/core/error.h"
#include "lockstep/core/names.h"

namespace lockstep {

namespace {

// Two or three lines at the end of a command's help, without the program's name.
void add_examples(CLI::App* app, const std::vector<std::string>& examples) {
  std::string text = "Examples:";
  for (const std::string& each : examples) text += "\n  lockstep " + each;
  app->footer(text);
}

void add_threads(CLI::App* app, CommandLine& line) {
  app->add_option("--threads", line.threads,
                  "Worker threads of each rank; default: the node's cores shared by its ranks")
      ->check(CLI::Range(1, 4096));
}

void add_experiment(CLI::App* app, CommandLine& line) {
  app->add_option("EXPERIMENT", line.experiment, "Experiment file (.textproto)")->required();
  app->add_option("--set", line.overrides, "PATH=VALUE overrides a field; may be repeated")
      ->allow_extra_args(false);
  app->add_flag("--needs", line.needs)->group("");  // asked by the launcher alone
}

void add_train(CLI::App& app, CommandLine& line) {
  CLI::App* train = app.add_subcommand("train", "Train the model of an experiment file");
  add_experiment(train, line);
  train->add_option("--run-dir", line.run_dir,
                    "Run folder; default: models/<name>/<UTC time>-<digest of the experiment>");
  train
      ->add_option("--resume", line.resume,
                   "auto: go on where --run-dir holds a checkpoint; never: begin anew there; or "
                   "the path of a run folder or checkpoint folder to go on from")
      ->capture_default_str();
  train->add_flag("--print-config", line.print_config,
                  "Print the experiment with every default and the origin of each value, and end");
  train->add_flag("--dry-run", line.dry_run, "Check experiment, model and data, and end");
  add_threads(train, line);
  add_examples(train,
               {"train configs/digits_fast.textproto",
                "train configs/digits.textproto --set training.epochs=3 --run-dir models/try",
                "train configs/digits.textproto --dry-run"});
  train->callback([&line] { line.command = Command::kTrain; });
}

CLI::Option* add_checkpoint(CLI::App* app, CommandLine& line) {
  return app->add_option("CHECKPOINT", line.checkpoint,
                         "Run folder (its best weights), checkpoint folder or .safetensors file");
}

void add_data(CLI::App* app, CommandLine& line, const char* default_data) {
  CLI::Option* data = app->add_option(
      "--data", line.data, std::string("CSV, zip or IDX file; default: ") + default_data);
  app->add_option("--member", line.member, "Member of the zip")->needs(data);
  app->add_option("--labels", line.labels, "IDX file of labels")->needs(data);
  add_threads(app, line);
}

void add_evaluate(CLI::App& app, CommandLine& line) {
  CLI::App* evaluate = app.add_subcommand("evaluate", "Measure trained weights on labelled rows");
  add_checkpoint(evaluate, line)->required();
  add_data(evaluate, line, "the experiment's validation rows");
  evaluate->add_option("--out", line.out, "Write the evaluation as JSON to this file");
  evaluate->add_flag("--json", line.json, "Print JSON instead of the report");
  add_examples(evaluate, {"evaluate models/digits/<run>",
                          "evaluate models/digits/<run> --data rows.csv --json"});
  evaluate->callback([&line] { line.command = Command::kEvaluate; });
}

bool is_png_name(const std::string& path) {
  constexpr std::string_view kEnding = ".png";
  return path.size() >= kEnding.size() &&
         CLI::detail::to_lower(path.substr(path.size() - kEnding.size())) == kEnding;
}

void add_predict(CLI::App& app, CommandLine& line) {
  CLI::App* predict = app.add_subcommand(
      "predict", "Show the classes of PNG files, or write those of each row of a file as CSV");
  add_checkpoint(predict, line);
  predict->add_option("PNG", line.pictures,
                      "Pictures of any size; alone, without a CHECKPOINT: by "
                      "models/digits.safetensors");
  predict->add_option("--top", line.top, "PNG: likeliest classes to show")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  predict->add_flag("--json", line.json,
                    "PNG: print JSON instead, with the probability of each class");
  add_data(predict, line, "the experiment's test rows");
  predict->add_option("--out", line.out, "Rows: file to write");
  add_examples(predict, {"predict seven.png", "predict models/digits/<run> *.png --top 5",
                         "predict models/digits/<run> --data rows.csv --out predictions.csv"});
  predict->callback([&line] {
    line.command = Command::kPredict;
    if (!is_png_name(line.checkpoint)) return;
    line.pictures.insert(line.pictures.begin(), std::exchange(line.checkpoint, ""));
  });
}

void add_submit(CLI::App& app, CommandLine& line) {
  CLI::App* submit = app.add_subcommand("submit", "Write a submission: ImageId,Label, ids from 1");
  add_checkpoint(submit, line)->required();
  add_data(submit, line, "the experiment's test rows");
  submit->add_option("--out", line.out, "File to write")->required();
  add_examples(submit,
               {"submit models/digits/<run> --out submission.csv",
                "submit models/digits/<run> --data rows.zip --member test.csv --out s.csv"});
  submit->callback([&line] { line.command = Command::kSubmit; });
}

void add_bench(CLI::App& app, CommandLine& line) {
  CLI::App* bench =
      app.add_subcommand("bench", "Measure training steps of an experiment and their parts");
  add_experiment(bench, line);
  bench->add_option("--steps", line.steps, "Steps measured, after a tenth as many to warm up")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  bench->add_flag("--json", line.json, "Print one JSON object instead of a table");
  add_threads(bench, line);
  add_examples(bench, {"bench configs/digits.textproto",
                       "bench configs/digits.textproto --set training.precision=BF16 --json"});
  bench->callback([&line] { line.command = Command::kBench; });
}

// CLI11 would say only that a subcommand is required.
[[noreturn]] void fail_unknown(CLI::App& app, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::App* each : app.get_subcommands({})) names.push_back(each->get_name());
  throw Error(ExitCode::kUsage,
              fmt::format("expected a subcommand, got \"{}\"{} (see lockstep --help)", word,
                          did_you_mean(word, names)),
              Reach::kAgreed);
}

void add_inspect(CLI::App& app, CommandLine& line) {
  CLI::App* inspect = app.add_subcommand(
      "inspect", "Show what data, an experiment or a checkpoint hold, and whether they are whole");
  inspect
      ->add_option("FILE", line.checkpoint,
                   "CSV, zip or IDX file of data; experiment file (.textproto); run folder, "
                   "checkpoint folder or .safetensors file")
      ->required();
  inspect->add_flag("--json", line.json, "Print one JSON object instead");
  inspect->add_option("--member", line.member, "Data: member of the zip");
  inspect->add_option("--labels", line.labels, "Data: IDX file of labels");
  inspect->add_option("--label-column", line.label_column,
                      "Data: column of a CSV file's labels; default: label, if there is one");
  inspect->add_option("--set", line.overrides, "Experiment: PATH=VALUE overrides a field")
      ->allow_extra_args(false);
  add_examples(inspect, {"inspect configs/digits.textproto",
                         "inspect data/digit-recognizer.zip --member train.csv",
                         "inspect models/digits/<run> --json"});
  inspect->callback([&line] { line.command = Command::kInspect; });
}

void add_verify(CLI::App& app, CommandLine& line) {
  CLI::App* verify = app.add_subcommand(
      "verify", "Replay steps of a run between two of its checkpoints and compare the weights");
  verify->add_option("RUN", line.checkpoint, "Run folder")->required();
  verify->add_option("--from", line.from, "Step to begin at; default: the first checkpoint's")
      ->check(CLI::NonNegativeNumber);
  verify->add_option("--to", line.to, "Step to end at; default: the last checkpoint's")
      ->check(CLI::NonNegativeNumber);
  add_threads(verify, line);
  add_examples(verify, {"verify models/digits/<run>", "verify models/digits/<run> --from 100"});
  verify->callback([&line] { line.command = Command::kVerify; });
}

void add_report(CLI::App& app, CommandLine& line) {
  CLI::App* report = app.add_subcommand(
      "report", "Write the report of a run or a sweep as an HTML page, or compare runs");
  report->add_option("RUN", line.runs, "Run folders, several are compared; or a sweep's folder")
      ->required();
  report->add_option("--out", line.out,
                     "Folder of the report (default: the run's or sweep's); file of a comparison "
                     "(default: compare.html)");
  add_threads(report, line);
  add_examples(report, {"report models/digits/<run>", "report models/digits/* --out compare.html"});
  report->callback([&line] { line.command = Command::kReport; });
}

void add_export(CLI::App& app, CommandLine& line) {
  static const std::map<std::string, ExportFormat> kFormats = {
      {"safetensors", ExportFormat::kSafetensors},
      {"onnx", ExportFormat::kOnnx},
      {"torchscript", ExportFormat::kTorchscript}};
  CLI::App* command =
      app.add_subcommand("export", "Write trained weights as a file for other programs");
  add_checkpoint(command, line)->required();
  command
      ->add_option_function<std::string>(
          "--format", [&line](const std::string& name) { line.format = kFormats.at(name); },
          "onnx and torchscript: raw pixels [samples, channels, height, width] to logits; "
          "safetensors: the weights alone")
      ->check(CLI::IsMember(kFormats))
      ->type_name("safetensors|onnx|torchscript")
      ->required();
  command->add_option("--out", line.out, "File to write")->required();
  add_examples(command,
               {"export models/digits/<run> --format onnx --out digits.onnx",
                "export models/digits/<run> --format safetensors --out digits.safetensors"});
  command->callback([&line] { line.command = Command::kExport; });
}

void add_plan(CLI::App& app, CommandLine& line) {
  CLI::App* plan = app.add_subcommand(
      "plan", "Predict training steps on a cluster from times measured on this machine");
  add_experiment(plan, line);
  plan->add_option("--ranks", line.ranks, "World sizes, as in 1,8,64")
      ->delimiter(',')
      ->check(CLI::Range(1, 65536))
      ->required();
  plan->add_option("--network", line.network,
                   "Between nodes: 1GbE, 10GbE, 25GbE, 100GbE, 200Gb, 400Gb, or LATENCY:SPEED in "
                   "microseconds and Gbit/s")
      ->capture_default_str();
  plan->add_option("--ranks-per-node", line.ranks_per_node,
                   "Default: the cores of a node divided by --threads")
      ->check(CLI::Range(1, 4096));
  plan->add_option("--cores-per-node", line.cores_per_node, "Default: those of this machine")
      ->check(CLI::Range(1, 4096));
  plan->add_flag("--json", line.json, "Print one JSON object instead of a table");
  plan->add_option("--threads", line.threads, "Worker threads of each rank; default: 1")
      ->check(CLI::Range(1, 4096));
  add_examples(plan, {"plan configs/digits.textproto --ranks 1,2,4",
                      "plan configs/digits.textproto --ranks 8,64,512 --network 100GbE "
                      "--ranks-per-node 32 --cores-per-node 32"});
  plan->callback([&line] { line.command = Command::kPlan; });
}

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv) {
  CommandLine line;
  CLI::App app(
      "Lockstep: trains image classifiers from CSV files on any number of MPI ranks, with "
      "the same weights on all of them",
      "lockstep");
  app.require_subcommand(1);
  app.set_version_flag(
      "--version", fmt::format("lockstep {}, LibTorch {}, {}", kVersion, kTorchVersion, kCompiler));
  app.add_flag_callback("--options-table", [] { throw CLI::CallForVersion(options_table(), 0); })
      ->group("");  // for the documentation
  add_examples(&app, {"train configs/digits_fast.textproto", "evaluate models/digits_fast/<run>",
                      "train --help"});
  add_train(app, line);
  add_evaluate(app, line);
  add_predict(app, line);
  add_submit(app, line);
  add_bench(app, line);
  add_inspect(app, line);
  add_verify(app, line);
  add_report(app, line);
  add_export(app, line);
  add_plan(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    line.command = Command::kHelp;
    const auto chosen = app.get_subcommands();
    line.help = chosen.empty() ? app.help() : chosen.front()->help();
  } catch (const CLI::CallForVersion& version) {
    line.command = Command::kHelp;
    line.help = fmt::format("{}\n", version.what());
  } catch (const CLI::ParseError& error) {
    const std::vector<std::string> unknown = app.remaining();
    if (app.get_subcommands().empty() && !unknown.empty()) fail_unknown(app, unknown.front());
    throw Error(ExitCode::kUsage, fmt::format("{} (see lockstep --help)", error.what()),
                Reach::kAgreed);
  }
  return line;
}

}  // namespace lockstep
