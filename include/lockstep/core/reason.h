// What an error number of the system says about a path. Any thread.
#pragma once

#include <filesystem>
#include <string>

namespace lockstep {

// The system's words; where no room is left, also whether it is room for more files.
std::string reason_of(int error, const std::filesystem::path& path);

}  // namespace lockstep
