// Whether rows are held in memory, or stay in the file of rows in which they are.
#pragma once

#include <cstdint>
#include <memory>

#include "data/file_rows.h"
#include "data/mapped_rows.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/data/row_memory.h"

namespace lockstep {

// Collective: the bytes that each rank decodes at a time while rows are written to a file.
std::uint64_t agreed_round_bytes(Communicator& comm);

// Local: null where `bytes` of these rows fit into memory, or they are in no file.
std::shared_ptr<const MappedRows> stay_in_file(const Communicator& comm, const FileRows& rows,
                                               std::uint64_t bytes);

}  // namespace lockstep
