// The subcommands. Collective; each returns the exit status or throws an Error.
#pragma once

#include "app/command_line.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/config/experiment.h"
#include "lockstep/core/workers.h"
#include "lockstep/data/options.h"

namespace lockstep {

int run_train(Communicator& comm, const CommandLine& line);
int run_evaluate(Communicator& comm, const CommandLine& line);
int run_predict(Communicator& comm, const CommandLine& line);
int run_submit(Communicator& comm, const CommandLine& line);

// What the commands share.

// Workers of this rank: `threads`, or this process's cores shared by the node's
// ranks.
int worker_count(const Communicator& comm, int threads);

// A relative path of an experiment file stands below LOCKSTEP_ROOT where that is
// set, below the working folder otherwise.
SourceOptions below_root(SourceOptions source);

// Throws Error (2) where the experiment asks for a device that is not there.
void check_device(Device device);

}  // namespace lockstep
