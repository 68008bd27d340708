// How much memory rows may take.
#pragma once

#include <cstdint>

#include "lockstep/comm/communicator.h"

namespace lockstep {

// Local: the bytes of rows that this rank may hold: LOCKSTEP_DATA_MEMORY, or of what the host
// has left half of this rank's share. Error (2): that variable is no whole number.
std::uint64_t memory_for_rows(const Communicator& comm);

}  // namespace lockstep
