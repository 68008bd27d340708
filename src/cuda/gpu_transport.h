// Moves memory between the ranks' GPUs, in the order of the current stream: by NCCL, or
// by copies where there is one rank.
#pragma once

#include <memory>

#include "cuda/nccl_connection.h"
#include "lockstep/comm/transport.h"

namespace lockstep {

// `connection`: null for a world of one.
std::unique_ptr<Transport> make_gpu_transport(std::shared_ptr<NcclConnection> connection,
                                              const Communicator& comm);

}  // namespace lockstep
