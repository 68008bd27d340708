#include "lockstep/callbacks/event_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>

#include "callbacks/event_messages.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

constexpr std::string_view kPrefix = "events.out.tfevents.";

double seconds_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

// The time in a file's name, which readers sort by: now, but after that of every
// file in the folder.
std::int64_t next_time(const fs::path& folder) {
  auto time = static_cast<std::int64_t>(seconds_now());
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    std::int64_t other = 0;
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), other);
    time = std::max(time, other + 1);
  }
  return time;
}

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

}  // namespace

EventFile::EventFile(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail_internal("{}: cannot be made: {}", folder.string(), error.message());
  path_ =
      folder / fmt::format("{}{:010}.{}.{}", kPrefix, next_time(folder), host_name(), ::getpid());
  file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
  if (file_ < 0) fail_internal("{}: cannot be made: {}", path_.string(), std::strerror(errno));
  append(version_event(seconds_now()));
}

EventFile::~EventFile() { ::close(file_); }

void EventFile::restart(std::int64_t step) { append(restart_event(seconds_now(), step)); }

void EventFile::add_scalar(const std::string& tag, std::int64_t step, double value) {
  add_summary(step, scalar_value(tag, static_cast<float>(value)));
}

void EventFile::add_text(const std::string& tag, std::int64_t step, const std::string& text) {
  add_summary(step, text_value(tag, text));
}

void EventFile::add_image(const std::string& tag, std::int64_t step, std::string_view png) {
  add_summary(step, image_value(tag, png));
}

void EventFile::add_summary(std::int64_t step, const std::string& value) {
  append(summary_event(seconds_now(), step, value));
}

void EventFile::append(const std::string& event) {
  const bool was_behind = !unwritten_.empty();
  unwritten_ += record_of(event);
  while (!unwritten_.empty()) {
    const ::ssize_t written = ::write(file_, unwritten_.data(), unwritten_.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      if (was_behind) return;
      const int error = errno;
      spdlog::warn("{}: write failed: {}; its records are kept and written later", path_.string(),
                   std::strerror(error));
      return;
    }
    unwritten_.erase(0, static_cast<std::size_t>(written));
  }
}

}  // namespace lockstep
