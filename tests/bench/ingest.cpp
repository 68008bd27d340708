// Times TrainingData's constructor on a CSV: mpiexec -np N bench_ingest FILE [REPEATS]
// [MEMBER]. Prints the median over repeats of the slowest rank's time.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

#include "lockstep/comm/communicator.h"
#include "lockstep/core/error.h"
#include "lockstep/data/training_data.h"

namespace lockstep {

namespace {

double slowest_seconds(Communicator& comm, const DataOptions& options) {
  comm.barrier();
  const auto start = std::chrono::steady_clock::now();
  const TrainingData data(comm, options, 4, 1);
  const std::chrono::duration<double> mine = std::chrono::steady_clock::now() - start;
  const std::vector<double> all = gather_values(comm, mine.count());
  return *std::max_element(all.begin(), all.end());
}

int bench(int argc, char** argv) {
  if (argc < 2) fail_usage("usage: bench_ingest FILE [REPEATS] [MEMBER]");
  const auto comm = connect();
  DataOptions options;
  options.train.path = argv[1];
  options.classes = 10;
  const int repeats = argc > 2 ? std::max(1, std::atoi(argv[2])) : 11;
  if (argc > 3) options.train.member = argv[3];
  std::vector<double> seconds;
  for (int i = 0; i < repeats; ++i) seconds.push_back(slowest_seconds(*comm, options));
  std::sort(seconds.begin(), seconds.end());
  if (comm->rank() == 0) {
    fmt::print("ranks {}, median of {}: {:.4f} s, least {:.4f} s\n", comm->world_size(), repeats,
               seconds[seconds.size() / 2], seconds.front());
  }
  return 0;
}

}  // namespace

}  // namespace lockstep

int main(int argc, char** argv) {
  try {
    return lockstep::bench(argc, argv);
  } catch (const lockstep::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  }
}
