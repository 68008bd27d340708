// Starts a rank, runs its command, and is the one place that catches.

#include <fmt/format.h>
#include <malloc.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <string_view>

#include "app/command_line.h"
#include "app/commands.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/comm/last_words.h"
#include "lockstep/core/error.h"
#include "lockstep/core/fault_point.h"
#include "lockstep/core/host.h"
#include "lockstep/core/log.h"
#include "lockstep/core/output.h"
#include "lockstep/run/place.h"
#include "lockstep/run/resume.h"

namespace lockstep {

namespace {

// Activations are allocated and freed in every step: let glibc keep the memory
// instead of returning it to the system and faulting it in again.
void keep_freed_memory() {
  constexpr int kLargestMmapThreshold = 32 << 20;  // glibc's own limit
  ::mallopt(M_MMAP_THRESHOLD, kLargestMmapThreshold);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  ::mallopt(M_TOP_PAD, 16 << 20);
}

int run_command(Communicator& comm, const CommandLine& line) {
  // A training gathers the places itself, also that of one rank.
  if (comm.world_size() > 1 && line.run != run_train) gather_places(comm);
  return line.run(comm, line);
}

// An agreed error ends every rank in order, and rank 0 says it; any other is known
// here alone, so the peers have to be stopped.
int report(Communicator* comm, const Error& error) {
  const int status = static_cast<int>(error.code());
  if (comm == nullptr || comm->world_size() == 1 || error.reach() == Reach::kAgreed) {
    if (comm == nullptr || comm->rank() == 0) fmt::print(stderr, "lockstep: {}\n", error.what());
    return status;
  }
  fmt::print(stderr, "lockstep: rank {} on {}: {}\n", comm->rank(), host_name(), error.what());
  std::fflush(nullptr);
  say_last_words(fmt::format("rank {} on {}: {}", comm->rank(), host_name(), error.what()));
  comm->abort(status);
  return status;
}

int run(int argc, char** argv) {
  std::unique_ptr<Communicator> comm;
  try {
    comm = connect();
    start_log(comm->rank());
    arm_fault_points(comm->rank());
    fault_point("connected", 0);
    const CommandLine line = parse_command_line(argc, argv);
    const bool trains = line.run == run_train && !line.print_config && !line.dry_run;
    const int status = run_command(*comm, line);
    if (!trains) check_output();
    return status;
  } catch (const std::exception& exception) {
    return report(comm.get(), Error::from(exception));
  }
}

}  // namespace

}  // namespace lockstep

int main(int argc, char** argv) {
  // At once: loading MPI and the data takes a while, and a training that is asked to end
  // then shall save and say so.
  if (argc > 1 && std::string_view(argv[1]) == "train") {
    lockstep::watch_signals();
    lockstep::ignore_output_signals();
  }
  lockstep::keep_freed_memory();
  lockstep::leave(lockstep::run(argc, argv));
}
