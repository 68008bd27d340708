#include "data/cache_trim.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "lockstep/core/environment.h"

namespace lockstep {

namespace {

struct CachedFile {
  ::timespec used;
  std::uint64_t bytes = 0;
  fs::path path;

  auto order() const { return std::tuple(used.tv_sec, used.tv_nsec, path.native()); }
};

// As row_cache.cpp names files: NAME-DIGEST.rows.
bool is_cached_rows(std::string_view name) {
  constexpr std::size_t kDigits = 32;
  constexpr std::string_view kEnding = ".rows";
  if (name.size() < 1 + kDigits + kEnding.size() || !name.ends_with(kEnding)) return false;
  name.remove_suffix(kEnding.size());
  const std::string_view digits = name.substr(name.size() - kDigits);
  return name[name.size() - kDigits - 1] == '-' &&
         digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::vector<CachedFile> files_in(const fs::path& folder) {
  std::vector<CachedFile> files;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    struct stat status {};
    if (!is_cached_rows(entry.path().filename().string())) continue;
    if (::lstat(entry.path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    files.push_back({status.st_atim, static_cast<std::uint64_t>(status.st_size), entry.path()});
  }
  return files;
}

std::uint64_t bytes_of(const std::vector<CachedFile>& files) {
  std::uint64_t bytes = 0;
  for (const CachedFile& each : files) bytes += each.bytes;
  return bytes;
}

bool is_in_use(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) return false;
  const bool locked = ::flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(file);
  return locked;
}

}  // namespace

CacheUse::CacheUse(const fs::path& file)
    : file_(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) {
  if (file_ >= 0) ::flock(file_, LOCK_SH | LOCK_NB);
}

CacheUse::~CacheUse() {
  if (file_ >= 0) ::close(file_);
}

// File systems need not note what is read; and when a file was written is part of what it is.
void mark_used(const fs::path& file) {
  const ::timespec times[] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
  static_cast<void>(::utimensat(AT_FDCWD, file.c_str(), times, 0));
}

std::uint64_t allowed_cache_bytes(const fs::path& folder) {
  if (const auto told = bytes_from_environment("LOCKSTEP_CACHE_SIZE")) return *told;
  struct statvfs disk {};
  const std::uint64_t own = bytes_of(files_in(folder));
  if (::statvfs(folder.c_str(), &disk) != 0) return own;
  return (own + std::uint64_t{disk.f_bavail} * disk.f_frsize) / 2;
}

void trim_cache(const fs::path& folder, const fs::path& kept, std::uint64_t most_bytes) {
  std::vector<CachedFile> files = files_in(folder);
  std::ranges::sort(files, {}, &CachedFile::order);
  std::uint64_t bytes = bytes_of(files);
  for (const CachedFile& each : files) {
    if (bytes <= most_bytes) return;
    std::error_code error;
    if (each.path.filename() == kept.filename() || is_in_use(each.path)) continue;
    if (!fs::remove(each.path, error)) continue;
    spdlog::info("{} was used longest ago and is removed: decoded rows may take {} bytes",
                 each.path.string(), most_bytes);
    bytes -= each.bytes;
  }
}

}  // namespace lockstep
