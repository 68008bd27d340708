#include "app/run_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>

#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/host.h"

namespace lockstep {

namespace {

// A job that was killed just now may still hold the lock while it goes.
constexpr int kAttempts = 20;
constexpr auto kBetweenAttempts = std::chrono::milliseconds(100);

std::string own_name() { return fmt::format("process {} on {}", ::getpid(), host_name()); }

// Zero when the lock was taken, otherwise the reason why not.
int lock(int file) {
  for (int attempt = 1;; ++attempt) {
    if (::flock(file, LOCK_EX | LOCK_NB) == 0) return 0;
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK || attempt >= kAttempts) return errno;
    std::this_thread::sleep_for(kBetweenAttempts);
  }
}

std::string first_line(const fs::path& path) {
  const std::string text = read_file(path);
  return text.empty() ? "unknown" : text.substr(0, text.find('\n'));
}

}  // namespace

RunLock::~RunLock() {
  if (file_ >= 0) ::close(file_);
}

void RunLock::take(const fs::path& run_dir) {
  if (file_ >= 0) return;
  std::error_code error;
  fs::create_directories(run_dir, error);
  if (error) fail_usage("{}: cannot be made: {}", run_dir.string(), error.message());
  const fs::path path = run_dir / "lock";
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (file_ < 0) fail_usage("{}: cannot be opened: {}", path.string(), std::strerror(errno));
  const int failure = lock(file_);
  if (failure == EWOULDBLOCK) {
    fail_usage(
        "{}: another job trains in this run folder ({}); end it first, or give another "
        "--run-dir",
        run_dir.string(), first_line(path));
  }
  if (failure != 0) {
    spdlog::warn("{}: cannot be locked ({}); nothing keeps other jobs out of the run folder",
                 path.string(), std::strerror(failure));
    return;
  }
  // Who holds it is told for people alone, so a full disk does no harm here.
  const std::string name = own_name() + "\n";
  if (::ftruncate(file_, 0) != 0 || ::pwrite(file_, name.data(), name.size(), 0) < 0) {
    spdlog::info("{}: not written: {}", path.string(), std::strerror(errno));
  }
}

}  // namespace lockstep
