#include "app/command_line.h"

#include <CLI/CLI.hpp>
#include <array>
#include <map>
#include <string_view>

#include "app/commands.h"
#include "lockstep/core/error.h"
#include "lockstep/core/names.h"
#include "lockstep/pictures/decode_image.h"
#include "lockstep/run/version.h"

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

void train_options(CLI::App* app, CommandLine& line) {
  add_experiment(app, line);
  app->add_option("--run-dir", line.run_dir,
                  "Run folder; default: models/<name>/<UTC time>-<digest of the experiment>");
  app->add_option("--resume", line.resume,
                  "auto: go on where --run-dir holds a checkpoint; never: begin anew there; or "
                  "the path of a run folder or checkpoint folder to go on from")
      ->capture_default_str();
  app->add_flag("--print-config", line.print_config,
                "Print the experiment with every default and the origin of each value, and end");
  app->add_flag("--dry-run", line.dry_run, "Check experiment, model and data, and end");
  add_threads(app, line);
  add_examples(app, {"train configs/digits_fast.textproto",
                     "train configs/digits.textproto --set training.epochs=3 --run-dir models/try",
                     "train configs/digits.textproto --dry-run"});
}

constexpr const char* kCheckpointMeaning =
    "Run folder (its best weights), checkpoint folder or .safetensors file";

void add_checkpoint(CLI::App* app, CommandLine& line) {
  app->add_option("CHECKPOINT", line.checkpoint, kCheckpointMeaning)->required();
}

void add_data(CLI::App* app, CommandLine& line, const char* default_data) {
  CLI::Option* data = app->add_option(
      "--data", line.data,
      std::string("Rows in any format that is trained on; default: ") + default_data);
  app->add_option("--member", line.member, "Member of the zip")->needs(data);
  app->add_option("--labels", line.labels, "File of the labels, where they are in one of their own")
      ->needs(data);
  add_threads(app, line);
}

void evaluate_options(CLI::App* app, CommandLine& line) {
  add_checkpoint(app, line);
  add_data(app, line, "the experiment's validation rows");
  app->add_option("--out", line.out, "Write the evaluation as JSON to this file");
  app->add_flag("--json", line.json, "Print JSON instead of the report");
  app->add_flag("--average-flips", line.average_flips,
                "Average the logits of each image and its mirror image");
  app->add_option("--average-shifts", line.average_shifts,
                  "And of each moved so many pixels along its diagonal, both ways")
      ->check(CLI::Range(1, 4095));
  app->add_option("--top-k", line.top_k,
                  "Count rows whose class is among so many of the likeliest; default: the "
                  "experiment's evaluation.top_k")
      ->check(CLI::Range(1, 65535));
  add_examples(
      app, {"evaluate models/digits/<run>", "evaluate models/digits/<run> --data rows.csv --json"});
}

void predict_options(CLI::App* app, CommandLine& line) {
  const auto add_pictures = [&line](const std::vector<std::string>& files) {
    line.pictures.insert(line.pictures.end(), files.begin(), files.end());
  };
  app->add_option_function<std::string>(
      "CHECKPOINT",
      [&line, add_pictures](const std::string& word) {
        if (has_image_name(word)) {
          add_pictures({word});
        } else {
          line.checkpoint = word;
        }
      },
      kCheckpointMeaning);
  app->add_option_function<std::vector<std::string>>(
      "PICTURE", add_pictures,
      "Pictures of any size; alone, without a CHECKPOINT: by "
      "models/digits.safetensors");
  app->add_option("--top", line.top, "Pictures: likeliest classes to show")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app->add_flag("--json", line.json,
                "Pictures: print JSON instead, with the probability of each class");
  add_data(app, line, "the experiment's test rows");
  app->add_option("--out", line.out, "Rows: file to write");
  add_examples(app, {"predict seven.png", "predict models/digits/<run> *.png --top 5",
                     "predict models/digits/<run> --data rows.csv --out predictions.csv"});
}

void submit_options(CLI::App* app, CommandLine& line) {
  add_checkpoint(app, line);
  add_data(app, line, "the experiment's test rows");
  app->add_option("--out", line.out, "File to write")->required();
  app->add_option("--columns", line.columns, "First line: names of the ids' and labels' columns")
      ->capture_default_str();
  add_examples(app, {"submit models/digits/<run> --out submission.csv",
                     "submit models/digits/<run> --data rows.zip --member test.csv --out s.csv"});
}

void bench_options(CLI::App* app, CommandLine& line) {
  add_experiment(app, line);
  app->add_option("--steps", line.steps, "Steps measured, after a tenth as many to warm up")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app->add_flag("--json", line.json, "Print one JSON object instead of a table");
  add_threads(app, line);
  add_examples(app, {"bench configs/digits.textproto",
                     "bench configs/digits.textproto --set training.precision=BF16 --json"});
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

void inspect_options(CLI::App* app, CommandLine& line) {
  app->add_option("FILE", line.checkpoint,
                  "Data in any format; experiment file (.textproto); run folder, "
                  "checkpoint folder or .safetensors file")
      ->required();
  app->add_flag("--json", line.json, "Print one JSON object instead");
  app->add_option("--member", line.member, "Data: member of the zip");
  app->add_option("--labels", line.labels,
                  "Data: file of the labels, where they are in one of their own");
  app->add_option(
      "--label-column", line.label_column,
      "Data: column of the labels; default: label or another usual name, or by looking");
  app->add_option("--set", line.overrides, "Experiment: PATH=VALUE overrides a field")
      ->allow_extra_args(false);
  add_examples(app, {"inspect configs/digits.textproto",
                     "inspect data/digit-recognizer.zip --member train.csv",
                     "inspect models/digits/<run> --json"});
}

void pack_options(CLI::App* app, CommandLine& line) {
  app->add_option("SOURCE", line.data, "Rows in any format that is trained on")->required();
  app->add_option("--out", line.out, "File to write, a source for all commands")->required();
  app->add_option("--member", line.member, "Member of the zip");
  app->add_option("--labels", line.labels,
                  "File of the labels, where they are in one of their own");
  app->add_option("--experiment", line.experiment,
                  "Experiment file (.textproto) whose data section says how the source is read");
  app->add_option("--set", line.overrides, "data.PATH=VALUE overrides a field; may be repeated")
      ->allow_extra_args(false);
  add_threads(app, line);
  add_examples(app, {"pack data/digit-recognizer.zip --member train.csv --out train.rows",
                     "pack photos --set data.shape.height=32 --set data.shape.width=32 "
                     "--set data.shape.channels=3 --out photos.rows"});
}

void verify_options(CLI::App* app, CommandLine& line) {
  app->add_option("RUN", line.checkpoint, "Run folder")->required();
  app->add_option("--from", line.from, "Step to begin at; default: the first checkpoint's")
      ->check(CLI::NonNegativeNumber);
  app->add_option("--to", line.to, "Step to end at; default: the last checkpoint's")
      ->check(CLI::NonNegativeNumber);
  add_threads(app, line);
  add_examples(app, {"verify models/digits/<run>", "verify models/digits/<run> --from 100"});
}

void report_options(CLI::App* app, CommandLine& line) {
  app->add_option("RUN", line.runs, "Run folders, several are compared; or a sweep's folder")
      ->required();
  app->add_option("--out", line.out,
                  "Folder of the report (default: the run's or sweep's); file of a comparison "
                  "(default: compare.html)");
  add_threads(app, line);
  add_examples(app, {"report models/digits/<run>", "report models/digits/* --out compare.html"});
}

void export_options(CLI::App* app, CommandLine& line) {
  static const std::map<std::string, ExportFormat> kFormats = {
      {"safetensors", ExportFormat::kSafetensors},
      {"onnx", ExportFormat::kOnnx},
      {"torchscript", ExportFormat::kTorchscript}};
  add_checkpoint(app, line);
  app->add_option_function<std::string>(
         "--format", [&line](const std::string& name) { line.format = kFormats.at(name); },
         "onnx and torchscript: raw pixels [samples, channels, height, width] to logits; "
         "safetensors: the weights alone")
      ->check(CLI::IsMember(kFormats))
      ->type_name("safetensors|onnx|torchscript")
      ->required();
  app->add_option("--out", line.out, "File to write")->required();
  add_examples(app, {"export models/digits/<run> --format onnx --out digits.onnx",
                     "export models/digits/<run> --format safetensors --out digits.safetensors"});
}

void plan_options(CLI::App* app, CommandLine& line) {
  add_experiment(app, line);
  app->add_option("--ranks", line.ranks, "World sizes, as in 1,8,64")
      ->delimiter(',')
      ->check(CLI::Range(1, 65536))
      ->required();
  app->add_option("--network", line.network,
                  "Between nodes: 1GbE, 10GbE, 25GbE, 100GbE, 200Gb, 400Gb, or LATENCY:SPEED in "
                  "microseconds and Gbit/s")
      ->capture_default_str();
  app->add_option("--ranks-per-node", line.ranks_per_node,
                  "Default: the cores of a node divided by --threads")
      ->check(CLI::Range(1, 4096));
  app->add_option("--cores-per-node", line.cores_per_node, "Default: those of this machine")
      ->check(CLI::Range(1, 4096));
  app->add_flag("--json", line.json, "Print one JSON object instead of a table");
  app->add_option("--threads", line.threads, "Worker threads of each rank; default: 1")
      ->check(CLI::Range(1, 4096));
  add_examples(app, {"plan configs/digits.textproto --ranks 1,2,4",
                     "plan configs/digits.textproto --ranks 8,64,512 --network 100GbE "
                     "--ranks-per-node 32 --cores-per-node 32"});
}

// The subcommands, in the order of --help.
struct Command {
  const char* name;
  const char* meaning;
  void (*add_options)(CLI::App* app, CommandLine& line);
  int (*run)(Communicator& comm, const CommandLine& line);
};
constexpr std::array kCommands = {
    Command{"train", "Train the model of an experiment file", train_options, run_train},
    Command{"evaluate", "Measure trained weights on labelled rows", evaluate_options, run_evaluate},
    Command{"predict", "Show the classes of pictures, or write those of each row of data as CSV",
            predict_options, run_predict},
    Command{"submit", "Write a submission: ids, or else numbers from 1, and labels", submit_options,
            run_submit},
    Command{"bench", "Measure training steps of an experiment and their parts", bench_options,
            run_bench},
    Command{"inspect",
            "Show what data, an experiment or a checkpoint hold, and whether they are whole",
            inspect_options, run_inspect},
    Command{"pack", "Write the decoded rows of data as one file, a source that needs no decoding",
            pack_options, run_pack},
    Command{"verify",
            "Replay steps of a run between two of its checkpoints and compare the weights",
            verify_options, run_verify},
    Command{"report", "Write the report of a run or a sweep as an HTML page, or compare runs",
            report_options, run_report},
    Command{"export", "Write trained weights as a file for other programs", export_options,
            run_export},
    Command{"plan", "Predict training steps on a cluster from times measured on this machine",
            plan_options, run_plan},
};

int print_help(Communicator& comm, const CommandLine& line) {
  if (comm.rank() == 0) fmt::print("{}", line.help);
  return 0;
}

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv) {
  CommandLine line;
  CLI::App app(
      "Lockstep: trains image classifiers on any number of MPI ranks, with "
      "the same weights on all of them",
      "lockstep");
  app.require_subcommand(1);
  app.set_version_flag(
      "--version", fmt::format("lockstep {}, LibTorch {}, {}", kVersion, kTorchVersion, kCompiler));
  app.add_flag_callback("--options-table", [] { throw CLI::CallForVersion(options_table(), 0); })
      ->group("");  // for the documentation
  add_examples(&app, {"train configs/digits_fast.textproto", "evaluate models/digits_fast/<run>",
                      "train --help"});
  for (const Command& command : kCommands) {
    CLI::App* each = app.add_subcommand(command.name, command.meaning);
    command.add_options(each, line);
    each->callback([&line, run = command.run] { line.run = run; });
  }
  try {
    app.parse(argc, argv);
    if (line.needs) line.run = run_needs;
  } catch (const CLI::CallForHelp&) {
    line.run = print_help;
    const auto chosen = app.get_subcommands();
    line.help = chosen.empty() ? app.help() : chosen.front()->help();
  } catch (const CLI::CallForVersion& version) {
    line.run = print_help;
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
