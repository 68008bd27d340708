#include "comm/mpi_calls.h"

#include "lockstep/core/error.h"

namespace lockstep {

void check_mpi(int status, const char* operation) {
  if (status == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(status, text, &length);
  throw Error(ExitCode::kPeer, fmt::format("{} failed: {}", operation, text));
}

MpiStandingExchange::MpiStandingExchange(std::span<const Outgoing> out,
                                         std::span<const Incoming> in, int tag) {
  for_countable(in, requests_, [&](auto* data, int bytes, int peer, MPI_Request* request) {
    check_mpi(MPI_Recv_init(data, bytes, MPI_BYTE, peer, tag, MPI_COMM_WORLD, request),
              "MPI_Recv_init");
  });
  for_countable(out, requests_, [&](auto* data, int bytes, int peer, MPI_Request* request) {
    check_mpi(MPI_Send_init(data, bytes, MPI_BYTE, peer, tag, MPI_COMM_WORLD, request),
              "MPI_Send_init");
  });
}

MpiStandingExchange::~MpiStandingExchange() {
  for (MPI_Request& request : requests_) MPI_Request_free(&request);
}

void MpiStandingExchange::start() {
  if (requests_.empty()) return;
  check_mpi(MPI_Startall(static_cast<int>(requests_.size()), requests_.data()), "MPI_Startall");
}

bool MpiStandingExchange::is_done() {
  if (requests_.empty()) return true;
  int done = 0;
  check_mpi(
      MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &done, MPI_STATUSES_IGNORE),
      "MPI_Testall");
  return done != 0;
}

}  // namespace lockstep
