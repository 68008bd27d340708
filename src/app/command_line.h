// The command line, parsed. Bad usage is an Error (2).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

class Communicator;

enum class ExportFormat { kSafetensors, kOnnx, kTorchscript };

struct CommandLine {
  int (*run)(Communicator& comm, const CommandLine& line) = nullptr;  // of the subcommand
  std::string help;  // what to print where that is asked for

  std::string experiment;              // train, bench, pack: file
  std::vector<std::string> overrides;  // train, bench, inspect, pack: --set PATH=VALUE
  std::string run_dir;                 // train: empty for models/<name>/<time>-<digest>
  std::string resume = "auto";         // train: auto, never or a path
  bool print_config = false;
  bool dry_run = false;
  bool needs = false;  // train, bench, plan: for the launcher

  // evaluate, predict, submit, export; inspect: or a data or experiment file; verify: a run folder
  std::string checkpoint;
  ExportFormat format = ExportFormat::kSafetensors;  // export
  std::vector<std::string> pictures;                 // predict: picture files
  int top = 3;                                       // predict: classes shown of a picture
  std::string data;                                  // file; empty for the experiment's own
  std::string member;                                // of a zip
  std::string labels;                                // file of them
  std::string columns = "ImageId,Label";             // submit: first line
  std::string label_column;                          // inspect: of data; empty: by looking
  std::vector<std::string> runs;                     // report: run folders
  std::string out;  // file to write, or report's folder; empty for none, or the default
  bool json = false;
  bool average_flips = false;     // evaluate
  int average_shifts = 0;         // evaluate; pixels
  int top_k = 0;                  // evaluate; 0: as the experiment has it
  std::vector<int> ranks;         // plan: world sizes
  std::string network = "25GbE";  // plan: between nodes
  int ranks_per_node = 0;         // plan; 0: as many as cores
  int cores_per_node = 0;         // plan; 0: as here
  int steps = 100;                // bench: measured
  std::int64_t from = -1;         // verify: steps; -1: first and last checkpoint
  std::int64_t to = -1;

  int threads = 0;  // workers of this rank; 0: the cores of the node shared by its ranks
};

CommandLine parse_command_line(int argc, const char* const* argv);

}  // namespace lockstep
