// The settings that decide what rows a source gives, as texts: kept with rows that were decoded,
// so that what was found out about their source need not be found out again. Pure.
#pragma once

#include <map>
#include <string>

#include "lockstep/data/options.h"

namespace lockstep {

std::map<std::string, std::string> source_settings(const DataOptions& options);

// Puts what source_settings() gave in place of what `options` have; what is not known is left.
void apply_settings(const std::map<std::string, std::string>& settings, DataOptions& options);

}  // namespace lockstep
