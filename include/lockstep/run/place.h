// Where the ranks of a job run, and that they all run the same.
#pragma once

#include <string>
#include <vector>

#include "lockstep/comm/communicator.h"
#include "lockstep/data/options.h"

namespace lockstep {

// Of one rank.
struct Place {
  std::string host;
  int rank_on_node = 0;
  std::vector<int> cores;  // on which its main thread may run
  int cores_of_node = 0;   // on which it might run if it were not bound
  std::string build;       // digest of the program's file, in hex
  std::string processor;   // the model's name
  std::string kind;        // processor_kind()
};

// Collective: the place of each rank, by rank. Error (2, agreed) where ranks have
// different builds or kinds of processor. Rank 0 warns of ranks that were bound to fewer
// cores than they are while their node has more.
std::vector<Place> gather_places(Communicator& comm);

// Local: workers of this rank: `threads`, or where that is 0 this process's cores shared
// by the node's ranks.
int worker_count(const Communicator& comm, int threads);

// Local: the warning, a sentence for each such host; empty when there is none.
std::string crowding_of(const std::vector<Place>& places);

// Local: numbers in ascending order as 0-2,5.
std::string core_list(const std::vector<int>& cores);

// Collective: Error (2, agreed) where `value` is not the same on all ranks: it says which
// ranks on which hosts have another `what` than rank 0, and the `fix`.
void check_same(Communicator& comm, const std::string& what, const std::string& value,
                const std::string& fix);

// Collective: the same of the source's files, which all ranks read; without a look at
// them where all ranks are on one node.
void check_same_source(Communicator& comm, const SourceOptions& source);

}  // namespace lockstep
