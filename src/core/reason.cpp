#include "lockstep/core/reason.h"

#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>

namespace lockstep {

namespace {

namespace fs = std::filesystem;

// Whether the file system that would hold `path` has room, but for no more files. Some without
// a limit of files say 0 for both numbers, some count them by the room that is left.
bool lacks_files(const fs::path& path) {
  std::error_code error;
  fs::path folder = fs::absolute(path, error).lexically_normal().parent_path();
  struct ::statvfs system {};
  while (::statvfs(folder.c_str(), &system) != 0) {
    if (!folder.has_relative_path()) return false;
    folder = folder.parent_path();
  }
  return system.f_files > 0 && system.f_favail == 0 && system.f_bavail > 0;
}

}  // namespace

std::string reason_of(int error, const fs::path& path) {
  std::string reason = std::strerror(error);
  if (error == ENOSPC && lacks_files(path)) reason += " for one more file (no inode is free)";
  return reason;
}

}  // namespace lockstep
