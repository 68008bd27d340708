// Starts a rank, runs its command, and is the one place that catches.

#include <fmt/format.h>
#include <malloc.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <string_view>
#include <vector>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/place.h"
#include "app/resume.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/core/error.h"
#include "lockstep/core/fault_point.h"
#include "lockstep/core/host.h"
#include "lockstep/core/log.h"
#include "lockstep/core/output.h"

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
  if (line.needs) {
    if (comm.rank() == 0) print_needs(line);
    return 0;
  }
  const bool alone = comm.world_size() == 1 && line.command != Command::kTrain;
  const std::vector<Place> places = alone ? std::vector<Place>{} : gather_places(comm);
  switch (line.command) {
    case Command::kTrain:
      return run_train(comm, line, places);
    case Command::kEvaluate:
      return run_evaluate(comm, line);
    case Command::kPredict:
      return run_predict(comm, line);
    case Command::kSubmit:
      return run_submit(comm, line);
    case Command::kBench:
      return run_bench(comm, line);
    case Command::kInspect:
      return run_inspect(comm, line);
    case Command::kVerify:
      return run_verify(comm, line);
    case Command::kReport:
      return run_report(comm, line);
    case Command::kExport:
      return run_export(comm, line);
    case Command::kPlan:
      return run_plan(comm, line);
    case Command::kHelp:
      if (comm.rank() == 0) fmt::print("{}", line.help);
      return 0;
  }
  return static_cast<int>(ExitCode::kInternal);
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
    const bool trains =
        line.command == Command::kTrain && !line.print_config && !line.dry_run && !line.needs;
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
  return lockstep::run(argc, argv);
}
