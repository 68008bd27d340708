// The smallest valid experiment, and what parsing it says.
#pragma once

#include <string>
#include <vector>

#include "lockstep/config/experiment.h"
#include "lockstep/core/error.h"

namespace lockstep {

inline const std::string kSmallest =
    "name: \"tiny\"\n"
    "data { train { path: \"rows.csv\" } }\n"
    "model { layer { flatten {} } layer { dense { units: 10 } } }\n";

inline Experiment parse(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return parse_experiment(text, "tiny.textproto", overrides);
}

// The message of the Error that parsing ends with; empty when it succeeds. Any
// other exit code than 2 is told in the message.
inline std::string error_of(const std::string& text,
                            const std::vector<std::string>& overrides = {}) {
  try {
    parse(text, overrides);
    return {};
  } catch (const Error& error) {
    if (error.code() == ExitCode::kUsage) return error.what();
    return "not a usage error: " + std::string(error.what());
  }
}

}  // namespace lockstep
