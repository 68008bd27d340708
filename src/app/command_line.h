// The command line, parsed. Bad usage is an Error (2).
#pragma once

#include <string>
#include <vector>

namespace lockstep {

enum class Command { kTrain, kEvaluate, kPredict, kSubmit, kBench, kHelp };

struct CommandLine {
  Command command = Command::kHelp;
  std::string help;  // for kHelp: what to print

  std::string experiment;              // train, bench: file
  std::vector<std::string> overrides;  // train, bench: --set PATH=VALUE
  std::string run_dir;                 // train: empty for models/<name>/<time>-<digest>
  bool print_config = false;
  bool dry_run = false;

  std::string checkpoint;  // evaluate, predict, submit
  std::string data;        // file; empty for the experiment's own
  std::string member;      // of a zip
  std::string labels;      // IDX labels
  std::string out;         // file to write; empty for none
  bool json = false;
  int steps = 100;  // bench: measured

  int threads = 0;  // workers of this rank; 0: the cores of the node shared by its ranks
};

CommandLine parse_command_line(int argc, const char* const* argv);

}  // namespace lockstep
