// The subcommands. Collective; each returns the exit status or throws an Error.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "app/command_line.h"
#include "app/device.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/config/experiment.h"
#include "lockstep/core/workers.h"
#include "lockstep/data/options.h"
#include "lockstep/data/training_data.h"
#include "lockstep/model/network.h"
#include "lockstep/run/initial_weights.h"
#include "lockstep/run/place.h"
#include "lockstep/train/trainer.h"

namespace lockstep {

int run_train(Communicator& comm, const CommandLine& line);
int run_evaluate(Communicator& comm, const CommandLine& line);
int run_predict(Communicator& comm, const CommandLine& line);
int run_submit(Communicator& comm, const CommandLine& line);
int run_bench(Communicator& comm, const CommandLine& line);
int run_inspect(Communicator& comm, const CommandLine& line);
int run_pack(Communicator& comm, const CommandLine& line);
int run_verify(Communicator& comm, const CommandLine& line);
int run_report(Communicator& comm, const CommandLine& line);
int run_plan(Communicator& comm, const CommandLine& line);
int run_export(Communicator& comm, const CommandLine& line);

// What the launcher asks of an experiment, as JSON: name, lanes, gpus (whether
// every rank must have one), the files of train and test and those of weights to begin with, the
// metric of the best checkpoint.
int run_needs(Communicator& comm, const CommandLine& line);

// What the commands share.

// A relative path of an experiment file stands below LOCKSTEP_ROOT where that is
// set, below the working folder otherwise.
SourceOptions below_root(SourceOptions source);
std::string below_root(const std::string& path);

// Collective: the file that --out names, checked before the work rather than after.
// Error (2, agreed): its folder is not there; it is a folder.
void check_out(Communicator& comm, const std::string& out);

// Local. What is no UTF-8, a file's name for one, is replaced.
void print_json(const nlohmann::ordered_json& json);

// Collective: the weights that an experiment begins with, where it names a file of them.
std::optional<InitialWeights> find_initial_weights(Communicator& comm, const Experiment& experiment,
                                                   const Network& network);

// Does what looks at the experiment in `file` with its overrides; an error about a field of it
// gains file and line. Local.
template <typename Look>
decltype(auto) at_lines_of(const std::string& file, const std::vector<std::string>& overrides,
                           const Look& look) {
  try {
    return look();
  } catch (const Error& error) {
    throw at_its_line(error, file, overrides);
  }
}

// What `train` and `bench` begin with.
struct PreparedExperiment {
  Experiment experiment;
  std::unique_ptr<Network> network;
  ChosenDevice device;
};

// Collective: reads and checks the experiment of the command line, its device,
// and that there are no more ranks than lanes. BF16 becomes FP32, with a notice, where
// the CPU computes and has no instructions for it.
PreparedExperiment prepare(Communicator& comm, const CommandLine& line);

// The fewest classes that there can be where those of a part of the data were found.
int classes_of_part(const Experiment& experiment, int found);

// Collective: takes the classes counted in the data, where the experiment says no number.
// Error (2, agreed): too few, or too many; layers that do not fit them.
void take_classes(Communicator& comm, const CommandLine& line, PreparedExperiment& prepared,
                  const DataOptions& found);

// What the training loop takes from an experiment, without the metadata of weights.
TrainSettings train_settings(const Experiment& experiment, const std::filesystem::path& run_dir);

// Collective: the class and probabilities of rows, as CSV; `predict` without pictures.
int predict_rows(Communicator& comm, const CommandLine& line);

// `inspect` of what is no checkpoint. Local, alone; error (2) for a file that is not
// what its name says, or is damaged.
void inspect_data(Communicator& comm, const CommandLine& line);
void inspect_experiment(const CommandLine& line);

// Collective: the training data of an experiment, its paths below the root; the second takes its
// classes too.
TrainingData load_training_data(Communicator& comm, const Experiment& experiment);
TrainingData load_training_data(Communicator& comm, const CommandLine& line,
                                PreparedExperiment& prepared);

// Local: the experiment with what loading `data` found out; its paths as they are.
Experiment with_found(const Experiment& experiment, const TrainingData& data);

}  // namespace lockstep
