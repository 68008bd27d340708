// The network between nodes, as three numbers. Local.
#pragma once

#include <string>
#include <vector>

namespace lockstep {

struct Link {
  double latency_seconds = 0;       // one way, of a small message between two ranks
  double bytes_per_second = 1;      // of a node, each way at the same time
  double message_seconds = 0;       // of a rank's time for each message sent or received
  double byte_seconds = 0;          // and for each byte, where the processor copies it
  double rendezvous_bytes = 512e3;  // longer messages are announced first: 2 latencies more
};

// The names that link_of() knows.
std::vector<std::string> link_names();

// A name, or LATENCY:SPEED, microseconds and Gbit/s, as in "15:25". Error (2) otherwise.
//
// The named ones have typical values of MPI between two hosts: kernel TCP up to 25 Gbit/s,
// RDMA (RoCE, InfiniBand) above; 92 % of the nominal speed for headers and framing.
Link link_of(const std::string& text);

}  // namespace lockstep
