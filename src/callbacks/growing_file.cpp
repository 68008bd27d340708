#include "lockstep/callbacks/growing_file.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "lockstep/core/error.h"
#include "lockstep/core/reason.h"

namespace lockstep {

GrowingFile::~GrowingFile() { close(); }

void GrowingFile::open(const fs::path& path, int flags) {
  close();
  path_ = path;
  file_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | flags, 0644);
  if (file_ >= 0) return;
  const int error = errno;
  fail_internal("{}: cannot be opened: {}", path.string(), reason_of(error, path));
}

std::string GrowingFile::close() {
  if (file_ >= 0) ::close(file_);
  file_ = -1;
  return std::exchange(unwritten_, {});
}

void GrowingFile::append(std::string_view content) {
  const bool was_behind = !unwritten_.empty();
  unwritten_ += content;
  while (!unwritten_.empty()) {
    const ::ssize_t written = ::write(file_, unwritten_.data(), unwritten_.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      if (was_behind) return;
      spdlog::warn("{}: write failed: {}; what is missing is kept and written later",
                   path_.string(), reason_of(error, path_));
      return;
    }
    unwritten_.erase(0, static_cast<std::size_t>(written));
  }
}

}  // namespace lockstep
