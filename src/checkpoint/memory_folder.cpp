#include "lockstep/checkpoint/memory_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <string>

#include "lockstep/core/digest.h"
#include "lockstep/core/error.h"
#include "lockstep/core/reason.h"

namespace lockstep {

namespace fs = std::filesystem;

namespace {

fs::path folder_of(const fs::path& run_dir) {
  std::error_code none;
  const fs::path canonical = fs::weakly_canonical(run_dir, none);
  const std::string path = none ? run_dir.string() : canonical.string();
  return fs::path("/dev/shm") / fmt::format("checkpoints-of-lockstep-{}-{}", ::geteuid(),
                                            digest_of(std::as_bytes(std::span(path))).hex());
}

// Others may write to /dev/shm too: a link, or a folder of theirs, is none of ours.
bool is_own(const fs::path& folder) {
  struct ::stat found {};
  return ::lstat(folder.c_str(), &found) == 0 && S_ISDIR(found.st_mode) &&
         found.st_uid == ::geteuid() && (found.st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

}  // namespace

fs::path make_memory_folder(const fs::path& run_dir) {
  fs::path folder = folder_of(run_dir);
  if (::mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    const int error = errno;
    fail_internal("{}: cannot be made: {}", folder.string(), reason_of(error, folder));
  }
  if (!is_own(folder)) {
    fail_internal("{}: is not a folder of this user alone; remove it", folder.string());
  }
  return folder;
}

std::optional<fs::path> find_memory_folder(const fs::path& run_dir) {
  const fs::path folder = folder_of(run_dir);
  return is_own(folder) ? std::optional(folder) : std::nullopt;
}

void remove_memory_folder(const fs::path& run_dir) noexcept {
  std::error_code none;
  const fs::path folder = folder_of(run_dir);
  if (is_own(folder)) fs::remove_all(folder, none);
}

}  // namespace lockstep
