// What a source says that a row is for.
#pragma once

#include <cstdint>

namespace lockstep {

enum class RowUse : std::uint8_t { kTraining, kValidation, kTest };

}  // namespace lockstep
