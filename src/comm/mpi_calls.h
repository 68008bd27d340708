// MPI's C interface with its errors turned into Error (4), for this room's sources.
#pragma once

#include <mpi.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "lockstep/comm/transport.h"

namespace lockstep {

void check_mpi(int status, const char* operation);

inline constexpr std::size_t kMaxPartBytes = std::size_t{1} << 30;  // MPI counts are int

// Calls each(data, bytes, peer, request) for what MPI can count of the parts.
template <typename Parts, typename Each>
void for_countable(const Parts& parts, std::vector<MPI_Request>& requests, const Each& each) {
  for (const auto& part : parts) {
    for (std::size_t done = 0; done < part.data.size(); done += kMaxPartBytes) {
      const std::size_t bytes = std::min(part.data.size() - done, kMaxPartBytes);
      each(part.data.data() + done, static_cast<int>(bytes), part.peer, &requests.emplace_back());
    }
  }
}

// By persistent requests.
class MpiStandingExchange final : public StandingExchange {
 public:
  MpiStandingExchange(std::span<const Outgoing> out, std::span<const Incoming> in, int tag);
  ~MpiStandingExchange() override;
  MpiStandingExchange(const MpiStandingExchange&) = delete;
  MpiStandingExchange& operator=(const MpiStandingExchange&) = delete;

  void start() override;
  bool is_done() override;

 private:
  std::vector<MPI_Request> requests_;
};

}  // namespace lockstep
