#include "lockstep/core/placed_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <random>
#include <utility>

#include "lockstep/core/host.h"
#include "lockstep/core/reason.h"

namespace lockstep {

namespace {

constexpr auto kLeftBehind = std::chrono::hours(1);

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

std::string beginning_of(const fs::path& path) {
  return fmt::format(".{}.", path.filename().string());
}

// Who still writes to a file changes it more often than once an hour.
void remove_left_behind(const fs::path& path) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder_of(path), none)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(beginning_of(path)) || !name.ends_with(kTemporaryEnding)) continue;
    const auto changed = entry.last_write_time(none);
    if (none || fs::file_time_type::clock::now() - changed < kLeftBehind) continue;
    fs::remove(entry.path(), none);
  }
}

}  // namespace

PlacedFile PlacedFile::create(const fs::path& path) {
  remove_left_behind(path);
  // A process id would not do: processes of several hosts may make the same file.
  std::random_device device;
  const auto random = (static_cast<std::uint64_t>(device()) << 32) + device();
  fs::path temporary =
      folder_of(path) / fmt::format("{}{:016x}{}", beginning_of(path), random, kTemporaryEnding);
  return {path, std::move(temporary), Maker::kYes};
}

PlacedFile PlacedFile::join(const fs::path& path, const fs::path& temporary) {
  return {path, temporary, Maker::kNo};
}

PlacedFile::PlacedFile(fs::path path, fs::path temporary, Maker maker)
    : path_(std::move(path)), temporary_(std::move(temporary)), removes_(maker == Maker::kYes) {
  const int making = removes_ ? O_CREAT | O_EXCL : 0;
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC | making, 0644);
  if (descriptor_ >= 0) return;
  if (!removes_ && errno == ENOENT) {
    fail_internal(
        "{}: what another rank writes there is not seen on {}; expected a folder that all hosts "
        "share",
        path_.string(), host_name());
  }
  fail("open for writing");
}

PlacedFile::~PlacedFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (removes_) ::unlink(temporary_.c_str());
}

PlacedFile::PlacedFile(PlacedFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      removes_(std::exchange(other.removes_, false)) {}

void PlacedFile::fail(const char* operation) const {
  const int error = errno;
  fail_internal("{}: {} failed: {}", path_.string(), operation, reason_of(error, path_));
}

void PlacedFile::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ::ssize_t written =
        ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<::off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
}

void PlacedFile::close(Synced synced) {
  if (synced == Synced::kYes && ::fsync(descriptor_) != 0) fail("sync");
  if (::close(std::exchange(descriptor_, -1)) != 0) fail("close");
}

void PlacedFile::publish(Synced synced) {
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("rename");
  removes_ = false;
  if (synced == Synced::kYes) sync_folder(folder_of(path_));
}

}  // namespace lockstep
