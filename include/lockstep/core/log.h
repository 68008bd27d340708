// The log: spdlog's default logger, which every room uses as it is. Warnings and
// errors go to stderr, everything goes to a file once there is one.
#pragma once

#include <filesystem>

namespace lockstep {

// Local: at the start of main, before any log line; `rank` names the process.
void start_log(int rank);

// Local: from now on to this file too, created with its folder; appended to.
void log_to_file(const std::filesystem::path& path);

}  // namespace lockstep
