#include "lockstep/run/run_lock.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>

#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/host.h"
#include "lockstep/run/run_files.h"

namespace lockstep {

namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

// A job that was killed just now may still hold the lock while it goes.
constexpr int kAttempts = 20;
constexpr auto kBetweenAttempts = 100ms;

constexpr auto kBeat = 2s;
constexpr int kBeatsToWait = 5;  // without one the holder is dead

// What the file says: "process 7 on node3", and "beat 12" or "ended".
struct Holder {
  std::string name = "unknown";
  std::string sign;
};

// Zero when the lock was taken, otherwise the reason why not.
int lock(int file) {
  for (int attempt = 1;; ++attempt) {
    if (::flock(file, LOCK_EX | LOCK_NB) == 0) return 0;
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK || attempt >= kAttempts) return errno;
    std::this_thread::sleep_for(kBetweenAttempts);
  }
}

// Opened anew each time: only so a file server's clients see what others wrote. Nothing where
// it cannot be read.
Holder read_holder(const fs::path& path) {
  Holder holder;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return holder;
  std::array<char, 1024> buffer{};
  const ssize_t size = ::pread(file, buffer.data(), buffer.size(), 0);
  ::close(file);
  const std::string_view text(buffer.data(), size < 0 ? 0 : static_cast<std::size_t>(size));
  const std::size_t end = std::min(text.find('\n'), text.size());
  if (end > 0) holder.name = text.substr(0, end);
  if (end + 1 < text.size()) {
    holder.sign = text.substr(end + 1, text.find('\n', end + 1) - end - 1);
  }
  return holder;
}

// Whether a holder on another host, which this file system's locks may not show, is alive.
bool goes_on(const fs::path& path, const Holder& holder) {
  if (!holder.sign.starts_with("beat ")) return false;
  spdlog::warn("{}: {} did not end in order; looking for {} whether it lives", path.string(),
               holder.name, kBeatsToWait * kBeat);
  for (int look = 0; look < 2 * kBeatsToWait; ++look) {
    std::this_thread::sleep_for(kBeat / 2);
    const Holder now = read_holder(path);
    if (now.name != holder.name || now.sign != holder.sign) return now.sign.starts_with("beat ");
  }
  return false;
}

[[noreturn]] void fail_held(const fs::path& path, const std::string& holder) {
  fail_usage(
      "{}: another job trains in this run folder ({}); end it first, or give another --run-dir",
      path.parent_path().string(), holder);
}

// Who holds it is told where that can be written: a full disk does no harm here.
void write_holder(int file, const std::string& holder, const std::string& sign) {
  // Of one length, so that a reader sees no other's rest.
  const std::string text = fmt::format("{}\n{:<24}\n", holder, sign);
  if (::pwrite(file, text.data(), text.size(), 0) < 0) {
    spdlog::info("lock: not written: {}", std::strerror(errno));
  }
  ::fdatasync(file);
}

}  // namespace

RunLock::~RunLock() {
  if (file_ < 0) return;
  if (beats_.joinable()) {
    beats_.request_stop();
    beats_.join();
    write_holder(file_, holder_, "ended");
  }
  ::close(file_);
}

void RunLock::take(const fs::path& run_dir) {
  if (file_ >= 0) return;
  std::error_code error;
  fs::create_directories(run_dir, error);
  if (error) fail_usage("{}: cannot be made: {}", run_dir.string(), error.message());
  const fs::path path = run_dir / kLockFile;
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (file_ < 0) fail_usage("{}: cannot be opened: {}", path.string(), std::strerror(errno));
  const int failure = lock(file_);
  const Holder holder = read_holder(path);
  if (failure == EWOULDBLOCK) fail_held(path, holder.name);
  const bool is_shown = failure == 0 && holder.name.ends_with(" on " + host_name());
  if (!is_shown && goes_on(path, holder)) fail_held(path, holder.name);
  if (failure != 0) {
    spdlog::warn("{}: cannot be locked ({}); two jobs that start at once are not kept apart",
                 path.string(), std::strerror(failure));
  }
  holder_ = fmt::format("process {} on {}", ::getpid(), host_name());
  if (::ftruncate(file_, 0) != 0) {
    spdlog::info("{}: not written: {}", path.string(), std::strerror(errno));
  }
  write_holder(file_, holder_, "beat 0");
  beats_ = std::jthread([this](const std::stop_token& stop) { count_beats(stop); });
}

void RunLock::count_beats(const std::stop_token& stop) {
  std::unique_lock hold(mutex_);
  for (std::int64_t beat = 1;; ++beat) {
    stopped_.wait_for(hold, stop, kBeat, [] { return false; });
    if (stop.stop_requested()) return;
    write_holder(file_, holder_, fmt::format("beat {}", beat));
  }
}

}  // namespace lockstep
