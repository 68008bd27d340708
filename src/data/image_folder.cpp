// Image files of a folder, by its folders or by a list.

#include <algorithm>
#include <array>
#include <set>

#include "data/image_files.h"
#include "data/image_list.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/text.h"
#include "lockstep/pictures/decode_image.h"

namespace lockstep {

namespace {

class FolderFiles : public ImageFiles {
 public:
  // `name` is what messages call the source.
  FolderFiles(std::string name, fs::path folder, std::vector<ImageEntry> entries, std::string found)
      : name_(std::move(name)),
        folder_(std::move(folder)),
        entries_(std::move(entries)),
        found_(std::move(found)) {
    std::error_code none;
    for (const ImageEntry& entry : entries_) {
      const auto size = fs::file_size(folder_ / entry.name, none);
      if (!none) bytes_ += size;
    }
  }

  const std::string& name() const override { return name_; }
  std::uint64_t bytes() const override { return bytes_; }
  const std::string& found() const override { return found_; }
  const std::vector<ImageEntry>& entries() const override { return entries_; }
  std::string place_of(std::int64_t index) const override { return path_of(index).string(); }
  bool reads_anywhere() const override { return true; }
  void read(Range range, const Visit& visit) const override {
    for (std::int64_t i = range.first; i < range.last; ++i) {
      visit(i, read_file(path_of(i)));
    }
  }

 private:
  fs::path path_of(std::int64_t index) const {
    return folder_ / entries_[static_cast<std::size_t>(index)].name;
  }

  std::string name_;
  fs::path folder_;
  std::vector<ImageEntry> entries_;
  std::string found_;
  std::uint64_t bytes_ = 0;
};

bool has_archive_name(std::string_view name) {
  constexpr std::array<std::string_view, 7> kEndings = {".tar",    ".tar.gz",  ".tgz", ".tar.bz2",
                                                        ".tar.xz", ".tar.zst", ".zip"};
  return std::any_of(kEndings.begin(), kEndings.end(),
                     [&](std::string_view ending) { return name.ends_with(ending); });
}

struct FolderContent {
  std::vector<std::string> images;
  std::vector<std::string> archives;
  std::vector<std::string> others;
};

// Links are followed, but not into a folder that holds them.
void list_folder(const fs::path& folder, const std::string& prefix, std::set<fs::path>& around,
                 FolderContent& content) {
  const auto [place, is_new] = around.insert(fs::canonical(folder));
  if (!is_new) fail_usage("{}: a link to a folder that it lies in", folder.string());
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.') || name == "__MACOSX") continue;
    if (entry.is_directory()) {
      list_folder(entry.path(), prefix + name + "/", around, content);
    } else if (has_image_name(name)) {
      content.images.push_back(prefix + name);
    } else if (has_archive_name(name)) {
      content.archives.push_back(prefix + name);
    } else {
      content.others.push_back(prefix + name);
    }
  }
  around.erase(place);
}

FolderContent content_of(const std::string& folder) {
  FolderContent content;
  std::set<fs::path> around;
  try {
    list_folder(folder, "", around, content);
  } catch (const fs::filesystem_error& error) {
    fail_usage("{}: cannot be listed: {}", error.path1().string(), error.code().message());
  }
  for (auto* names : {&content.images, &content.archives, &content.others}) {
    std::sort(names->begin(), names->end());
  }
  return content;
}

std::vector<ImageEntry> entries_of(const std::vector<std::string>& names) {
  std::vector<ImageEntry> entries;
  for (const std::string& name : names) entries.push_back({name, {}, {}, {}});
  return entries;
}

}  // namespace

std::unique_ptr<ImageFiles> open_image_folder(const std::string& folder, const std::string& list) {
  if (!list.empty()) {
    const MappedFile file(list);
    return open_image_list(file.text(), list, folder);
  }
  FolderContent content = content_of(folder);
  if (content.images.empty() && !content.archives.empty()) {
    for (std::string& name : content.archives) name = (fs::path(folder) / name).string();
    return open_image_archives(folder, content.archives);
  }
  if (content.images.empty()) {
    fail_usage(
        "{}: no image files in it{}; expected PNG, JPEG, PPM, PGM or BMP, or archives of them",
        folder,
        content.others.empty() ? "" : fmt::format(", but {}", printable(content.others.front())));
  }
  std::vector<ImageEntry> entries = entries_of(content.images);
  std::string found = label_by_folders(folder, entries);
  const auto passed = content.others.size() + content.archives.size();
  if (passed > 0) {
    const auto& first = content.others.empty() ? content.archives.front() : content.others.front();
    found += fmt::format("; {} passed over, such as {}", count_of(passed, "other file"),
                         printable(first));
  }
  return std::make_unique<FolderFiles>(folder, folder, std::move(entries), std::move(found));
}

std::unique_ptr<ImageFiles> open_image_list(std::string_view text, const std::string& name,
                                            const std::string& folder) {
  ImageList list = read_image_list(text, name, folder);
  return std::make_unique<FolderFiles>(name, folder, std::move(list.entries),
                                       std::move(list.found));
}

}  // namespace lockstep
