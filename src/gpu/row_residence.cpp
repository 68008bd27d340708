#include "lockstep/gpu/row_residence.h"

#include "lockstep/core/environment.h"

namespace lockstep {

RowResidence residence_on(const Accelerator& accelerator, std::uint64_t bytes) {
  const std::optional<std::uint64_t> told = bytes_from_environment("LOCKSTEP_GPU_DATA_MEMORY");
  const std::uint64_t memory = told ? *told : accelerator.free_memory() / 2;
  return bytes <= memory ? RowResidence::kResident : RowResidence::kStreamed;
}

}  // namespace lockstep
