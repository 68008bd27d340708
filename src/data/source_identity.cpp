#include "data/source_identity.h"

#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "data/image_list.h"
#include "lockstep/core/digest.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"

namespace lockstep {

namespace {

constexpr std::size_t kEndBytes = 64 << 10;
constexpr std::size_t kListHeadBytes = 4096;  // as open_source() looks at

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

// The pictures that a list names; nothing of what is no list.
std::string listed_identity(const fs::path& list, const fs::path& folder) {
  const MappedFile file(list);
  std::string text;
  for (const auto& entry : read_image_list(file.text(), list.string(), folder.string()).entries) {
    text += line_of(folder / entry.name, entry.name);
  }
  return text;
}

bool is_list(const fs::path& path) {
  return fs::is_regular_file(path) &&
         is_image_list(MappedFile(path).text().substr(0, kListHeadBytes), path.string());
}

}  // namespace

std::string source_identity(const SourceOptions& source) {
  std::string text = identity_of(source.path);
  if (!source.labels.empty()) text += identity_of(source.labels);
  const fs::path path = source.path;
  if (source.member.empty() && is_list(path)) text += listed_identity(path, path.parent_path());
  if (!source.labels.empty() && fs::is_directory(path))
    text += listed_identity(source.labels, path);
  return digest_of(text).hex();
}

}  // namespace lockstep
