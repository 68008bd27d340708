// Where a host keeps checkpoints of a run in its memory: a folder below /dev/shm that outlives the
// processes, not the host. What is in it is laid out as in a run folder. Local.
#pragma once

#include <filesystem>
#include <optional>

namespace lockstep {

// Of the run in that folder; made where it is missing. Error (1) where it cannot be, or where
// what has its name is not this user's alone.
std::filesystem::path make_memory_folder(const std::filesystem::path& run_dir);

// Where it is there.
std::optional<std::filesystem::path> find_memory_folder(const std::filesystem::path& run_dir);

void remove_memory_folder(const std::filesystem::path& run_dir) noexcept;

}  // namespace lockstep
