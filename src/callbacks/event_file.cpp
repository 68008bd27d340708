#include "lockstep/callbacks/event_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "callbacks/event_messages.h"
#include "lockstep/core/error.h"
#include "lockstep/core/host.h"
#include "lockstep/core/reason.h"
#include "lockstep/run/run_files.h"

namespace lockstep {

namespace {

constexpr std::string_view kPrefix = kEventsBeginning;

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

}  // namespace

EventFile::EventFile(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    fail_internal("{}: cannot be made: {}", folder.string(), reason_of(error.value(), folder));
  path_ =
      folder / fmt::format("{}{:010}.{}.{}", kPrefix, next_time(folder), host_name(), ::getpid());
  file_.open(path_, O_CREAT | O_EXCL);
  append(version_event(seconds_now()));
}

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

void EventFile::append(const std::string& event) { file_.append(record_of(event)); }

}  // namespace lockstep
