// The subcommands. Collective; each returns the exit status or throws an Error.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "app/command_line.h"
#include "app/device.h"
#include "app/place.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/config/experiment.h"
#include "lockstep/core/workers.h"
#include "lockstep/data/options.h"
#include "lockstep/data/training_data.h"
#include "lockstep/model/network.h"
#include "lockstep/train/trainer.h"

namespace lockstep {

int run_train(Communicator& comm, const CommandLine& line, const std::vector<Place>& places);
int run_evaluate(Communicator& comm, const CommandLine& line);
int run_predict(Communicator& comm, const CommandLine& line);
int run_submit(Communicator& comm, const CommandLine& line);
int run_bench(Communicator& comm, const CommandLine& line);
int run_inspect(Communicator& comm, const CommandLine& line);
int run_verify(Communicator& comm, const CommandLine& line);
int run_report(Communicator& comm, const CommandLine& line);
int run_plan(Communicator& comm, const CommandLine& line);
int run_export(Communicator& comm, const CommandLine& line);

// Local: what the launcher asks of the experiment of a command line, as one line of JSON:
// name, lanes, gpus (whether every rank must have one), the files of train and test, and
// the metric of the best checkpoint. Error (2) for a bad experiment.
void print_needs(const CommandLine& line);

// What the commands share.

// Workers of this rank: `threads`, or this process's cores shared by the node's
// ranks.
int worker_count(const Communicator& comm, int threads);

// A relative path of an experiment file stands below LOCKSTEP_ROOT where that is
// set, below the working folder otherwise.
SourceOptions below_root(SourceOptions source);

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

// What the training loop takes from an experiment, without the metadata of weights.
TrainSettings train_settings(const Experiment& experiment, const std::filesystem::path& run_dir);

// Collective: the class and probabilities of rows, as CSV; `predict` without pictures.
int predict_rows(Communicator& comm, const CommandLine& line);

// `inspect` of what is no checkpoint. Local, alone; error (2) for a file that is not
// what its name says, or is damaged.
void inspect_data(Communicator& comm, const CommandLine& line);
void inspect_experiment(const CommandLine& line);

// Collective: the training data of an experiment, its paths below the root.
TrainingData load_training_data(Communicator& comm, const Experiment& experiment);

}  // namespace lockstep
