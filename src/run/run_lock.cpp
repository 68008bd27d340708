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
#include <optional>
#include <string_view>
#include <utility>

#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/host.h"
#include "lockstep/core/reason.h"
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
  bool operator==(const Holder&) const = default;
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

// Opened anew each time: only so a file server's clients see what others wrote. None where the
// file cannot be read or says nothing.
std::optional<Holder> read_holder(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return std::nullopt;
  std::array<char, 1024> buffer{};
  const ssize_t size = ::pread(file, buffer.data(), buffer.size(), 0);
  ::close(file);
  const std::string_view text(buffer.data(), size < 0 ? 0 : static_cast<std::size_t>(size));
  const std::size_t end = text.find('\n');
  if (end == 0 || end == std::string_view::npos) return std::nullopt;
  return Holder{std::string(text.substr(0, end)),
                std::string(text.substr(end + 1, text.find('\n', end + 1) - end - 1))};
}

bool beats(const Holder& holder) { return holder.sign.starts_with("beat "); }

// Whether a holder on another host, which this file system's locks may not show, is alive.
bool goes_on(const fs::path& path, const Holder& holder) {
  if (!beats(holder)) return false;
  spdlog::warn("{}: {} did not end in order; looking for {} whether it lives", path.string(),
               holder.name, kBeatsToWait * kBeat);
  for (int look = 0; look < 2 * kBeatsToWait; ++look) {
    std::this_thread::sleep_for(kBeat / 2);
    const std::optional<Holder> now = read_holder(path);
    if (now && *now != holder) return beats(*now);
  }
  return false;
}

[[noreturn]] void fail_held(const fs::path& path, const std::string& holder) {
  fail_usage(
      "{}: another job trains in this run folder ({}); end it first, or give another --run-dir",
      path.parent_path().string(), holder);
}

// What was there before may be longer, and goes after the new text is there: a reader always
// sees a holder.
bool write_holder(int file, const std::string& holder, const std::string& sign) {
  const std::string text = fmt::format("{}\n{:<24}\n", holder, sign);
  const auto size = static_cast<ssize_t>(text.size());
  return ::pwrite(file, text.data(), text.size(), 0) == size && ::ftruncate(file, size) == 0 &&
         ::fdatasync(file) == 0;
}

// Closes it unless it was given away.
class OpenFile {
 public:
  explicit OpenFile(int file) : file_(file) {}
  ~OpenFile() {
    if (file_ >= 0) ::close(file_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int get() const { return file_; }
  int give() { return std::exchange(file_, -1); }

 private:
  int file_;
};

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
  if (error)
    fail_usage("{}: cannot be made: {}", run_dir.string(), reason_of(error.value(), run_dir));
  const fs::path path = run_dir / kLockFile;
  OpenFile file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (file.get() < 0) fail_usage("{}: cannot be opened: {}", path.string(), reason_of(errno, path));
  const int failure = lock(file.get());
  const Holder holder = read_holder(path).value_or(Holder{});
  if (failure == EWOULDBLOCK) fail_held(path, holder.name);
  const bool is_shown = failure == 0 && holder.name.ends_with(" on " + host_name());
  if (!is_shown && goes_on(path, holder)) fail_held(path, holder.name);
  if (failure != 0) {
    spdlog::warn("{}: cannot be locked ({}); two jobs that start at once are not kept apart",
                 path.string(), std::strerror(failure));
  }
  file_ = file.give();
  holder_ = fmt::format("process {} on {}", ::getpid(), host_name());
  // A full disk does no harm here.
  if (!write_holder(file_, holder_, "beat 0")) {
    spdlog::info("{}: not written: {}", path.string(), reason_of(errno, path));
  }
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
