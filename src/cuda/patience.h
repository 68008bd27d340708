// How long this rank waits for the other ranks' GPUs: the hard limit of the watchdogs,
// LOCKSTEP_HARD_LIMIT_SECONDS (60).
#pragma once

#include <chrono>

#include "lockstep/core/environment.h"

namespace lockstep {

inline constexpr double kHardLimitSeconds = 60;

inline double hard_limit_seconds() {
  return seconds_from_environment("LOCKSTEP_HARD_LIMIT_SECONDS", kHardLimitSeconds);
}

inline std::chrono::steady_clock::time_point in_seconds(double seconds) {
  return std::chrono::steady_clock::now() +
         std::chrono::duration_cast<std::chrono::steady_clock::duration>(
             std::chrono::duration<double>(seconds));
}

}  // namespace lockstep
