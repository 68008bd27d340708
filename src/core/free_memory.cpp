#include "lockstep/core/free_memory.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

// Empty where there is no such file.
std::string content_of(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::optional<std::uint64_t> number_in(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == text.npos) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data() + first, text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  return number;
}

// The number behind `key` at the start of a line.
std::optional<std::uint64_t> entry_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.starts_with(key)) return number_in(line.substr(key.size()));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return std::nullopt;
}

// What the files of one version of control groups are called.
struct GroupFiles {
  const char* limit;
  const char* used;
  const char* kept_files[2];  // in memory.stat: memory that the system takes back by itself
};

constexpr GroupFiles kFirstVersion = {"memory.limit_in_bytes",
                                      "memory.usage_in_bytes",
                                      {"total_inactive_file ", "total_active_file "}};
constexpr GroupFiles kSecondVersion = {
    "memory.max", "memory.current", {"inactive_file ", "active_file "}};

std::uint64_t free_in_group(const fs::path& group, const GroupFiles& files) {
  const auto limit = number_in(content_of(group / files.limit));  // "max" is no number
  const auto used = number_in(content_of(group / files.used));
  if (!limit || !used) return kUnlimited;
  const std::string statistics = content_of(group / "memory.stat");
  std::uint64_t kept = 0;
  for (const char* key : files.kept_files) kept += entry_of(statistics, key).value_or(0);
  const std::uint64_t held = *used - std::min(kept, *used);
  return *limit - std::min(held, *limit);
}

// Of a group and all above it; a container sees its own group as the topmost.
std::uint64_t free_in_groups(const fs::path& top, std::string path, const GroupFiles& files) {
  std::uint64_t least = free_in_group(top, files);
  while (!path.empty()) {
    least = std::min(least, free_in_group(top / path.substr(1), files));
    path.resize(path.rfind('/'));
  }
  return least;
}

// Whether `text`, ":NAME,NAME:", has `name`.
bool lists(const std::string& text, const std::string& name) {
  const std::size_t at = text.find(name);
  return at != text.npos && std::string_view(":,").find(text[at - 1]) != text.npos &&
         std::string_view(":,").find(text[at + name.size()]) != text.npos;
}

}  // namespace

std::uint64_t free_memory(const fs::path& root) {
  constexpr std::uint64_t kKilobyte = 1024;
  const auto free = entry_of(content_of(root / "proc/meminfo"), "MemAvailable:");
  if (!free) return 0;
  std::uint64_t least = *free * kKilobyte;
  const fs::path groups = root / "sys/fs/cgroup";
  std::istringstream lines(content_of(root / "proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const std::string controllers = line.substr(first, second - first) + ":";
    std::string path = line.substr(second + 1);
    if (!path.starts_with('/')) continue;
    if (controllers == "::") {
      for (const fs::path& top : {groups, groups / "unified"}) {
        least = std::min(least, free_in_groups(top, path, kSecondVersion));
      }
    } else if (lists(controllers, "memory")) {
      least = std::min(least, free_in_groups(groups / "memory", path, kFirstVersion));
    }
  }
  return least;
}

std::uint64_t host_memory() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace lockstep
