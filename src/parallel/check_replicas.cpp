#include <algorithm>
#include <string>
#include <vector>

#include "lockstep/core/error.h"
#include "lockstep/parallel/step_runner.h"

namespace lockstep {

namespace {

std::vector<Digest> parameter_digests(const Network& network, const Weights& weights) {
  std::vector<Digest> digests;
  for (const Parameter& parameter : network.parameters()) {
    digests.push_back(digest_of(
        std::as_bytes(weights.values().subspan(static_cast<std::size_t>(parameter.range.first),
                                               static_cast<std::size_t>(parameter.range.size())))));
  }
  return digests;
}

// The value that most ranks have; the lowest rank's in a tie.
Digest majority(const std::vector<Digest>& digests) {
  return *std::max_element(digests.begin(), digests.end(), [&](const Digest& a, const Digest& b) {
    return std::count(digests.begin(), digests.end(), a) <
           std::count(digests.begin(), digests.end(), b);
  });
}

}  // namespace

void check_replicas(Communicator& comm, const Network& network, const Weights& weights) {
  if (comm.world_size() == 1) return;
  const std::vector<Digest> all = gather_values(comm, weights.digest(network));
  const Digest right = majority(all);
  if (std::count(all.begin(), all.end(), right) == comm.world_size()) return;

  const std::vector<Digest> mine = parameter_digests(network, weights);
  std::vector<Digest> by_rank(mine.size() * all.size());
  comm.all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(by_rank)));
  std::string differences;
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    if (all[rank] == right) continue;
    for (std::size_t p = 0; p < mine.size(); ++p) {
      std::vector<Digest> each;
      for (std::size_t r = 0; r < all.size(); ++r) each.push_back(by_rank[r * mine.size() + p]);
      if (each[rank] == majority(each)) continue;
      differences += fmt::format("{}rank {} in \"{}\"", differences.empty() ? "" : ", ", rank,
                                 network.parameters()[p].name);
      break;
    }
  }
  throw Error(ExitCode::kPeer,
              fmt::format("the replicas of the weights differ: {} (a fault of memory or processor "
                          "on that rank's host; resume from the last checkpoint without it)",
                          differences),
              Reach::kAgreed);
}

}  // namespace lockstep
