#include "data/source_identity.h"

#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "lockstep/core/digest.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"

namespace lockstep {

namespace {

constexpr std::size_t kEndBytes = 64 << 10;

// Size, nanoseconds of the last change, and the file's number: another one may have been put in
// its place.
std::string line_of(const fs::path& path, const std::string& name) {
  struct ::stat status {};
  if (::stat(path.c_str(), &status) != 0) fail_usage("{}: cannot be looked at", path.string());
  return fmt::format("{}:{}|{}|{}.{:09}|{}\n", name.size(), name, status.st_size,
                     status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ino);
}

std::string ends_of(const fs::path& path) {
  const MappedFile file(path);
  const std::string_view text = file.text();
  const std::size_t tail = text.size() - std::min(text.size(), kEndBytes);
  return digest_of(text.substr(0, kEndBytes)).hex() + digest_of(text.substr(tail)).hex() + "\n";
}

std::string file_identity(const fs::path& path) { return line_of(path, "") + ends_of(path); }

// In the order of their names: folders have none of their own.
std::string folder_identity(const fs::path& folder) {
  std::vector<std::string> lines;
  const auto follow = fs::directory_options::follow_directory_symlink;
  for (const auto& entry : fs::recursive_directory_iterator(folder, follow)) {
    if (entry.is_directory()) continue;
    lines.push_back(line_of(entry.path(), entry.path().lexically_relative(folder).string()));
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

std::string identity_of(const fs::path& path) {
  return fs::is_directory(path) ? folder_identity(path) : file_identity(path);
}

}  // namespace

std::string source_identity(const SourceOptions& source) {
  std::string text = identity_of(source.path);
  if (!source.labels.empty()) text += identity_of(source.labels);
  return digest_of(text).hex();
}

}  // namespace lockstep
