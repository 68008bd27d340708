// How much memory this host can still give to a process. Any thread.
#pragma once

#include <cstdint>
#include <filesystem>

namespace lockstep {

// Bytes: what the host has, and what each limit on this process's control groups (of either
// version) leaves beside what they use; files that the system keeps in memory count as free. 0
// where the host does not say. `root` is the folder in which proc and sys are.
std::uint64_t free_memory(const std::filesystem::path& root = "/");

// Bytes that the host has in all.
std::uint64_t host_memory();

}  // namespace lockstep
