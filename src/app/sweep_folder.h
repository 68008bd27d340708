// A sweep's folder, as the launcher's command sweep lays it out.
#pragma once

#include <filesystem>

#include "lockstep/report/sweep.h"

namespace lockstep {

// Local: whether the folder holds the plan of a sweep.
bool is_sweep(const std::filesystem::path& folder);

// Local: the plan and what its runs left so far, ranked. Error (2) when the plan cannot
// be read.
Sweep read_sweep(const std::filesystem::path& folder);

}  // namespace lockstep
