// Image files in archives, by the folders in them or, as WebDataset's shards have it, with the
// label of KEY.jpg in KEY.cls.

#include <algorithm>
#include <filesystem>
#include <unordered_map>

#include "data/archive.h"
#include "data/image_files.h"
#include "lockstep/core/error.h"
#include "lockstep/core/text.h"
#include "lockstep/pictures/decode_image.h"

namespace lockstep {

namespace {

// Up to the first dot of the file's own name.
std::string_view key_of(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  return name.substr(0, name.find('.', slash == std::string_view::npos ? 0 : slash));
}

constexpr std::string_view kLabelEnding = ".cls";

class ArchiveFiles : public ImageFiles {
 public:
  ArchiveFiles(std::string name, const std::vector<std::string>& paths) : name_(std::move(name)) {
    std::size_t others = 0;
    std::string first_other;
    bool has_labels = false;
    for (const std::string& path : paths) {
      Archive& archive = archives_.emplace_back(Archive{path, list_archive(path), {}});
      bytes_ += std::filesystem::file_size(path);
      for (std::size_t i = 0; i < archive.members.size(); ++i) {
        const std::string& member = archive.members[i].name;
        if (has_image_name(member)) {
          archive.images.push_back(static_cast<std::int64_t>(i));
          entries_.push_back({member, {}, {}, {}});
        } else if (member.ends_with(kLabelEnding)) {
          has_labels = true;
        } else if (others++ == 0) {
          first_other = member;
        }
      }
    }
    if (entries_.empty()) {
      fail_usage("{}: no image files in it{}; expected PNG, JPEG, PPM, PGM or BMP", name_,
                 first_other.empty() ? "" : ", but " + printable(first_other));
    }
    if (has_labels) {
      read_labels();
      found_ = count_of(entries_.size(), "image") + ", labels in .cls members";
    } else {
      found_ = label_by_folders(name_, entries_);
    }
    if (others > 0) {
      found_ += fmt::format("; {} passed over, such as {}", count_of(others, "other member"),
                            printable(first_other));
    }
  }

  const std::string& name() const override { return name_; }
  std::uint64_t bytes() const override { return bytes_; }
  const std::string& found() const override { return found_; }
  const std::vector<ImageEntry>& entries() const override { return entries_; }

  std::string place_of(std::int64_t index) const override {
    for (const Archive& archive : archives_) {
      const auto count = std::ssize(archive.images);
      if (index < count) return archive.path + ":" + archive.member_of(index).name;
      index -= count;
    }
    return name_;
  }

  bool reads_anywhere() const override {
    return std::all_of(archives_.begin(), archives_.end(), [](const Archive& archive) {
      return archive.images.size() < 2 ||
             archive.member_of(std::ssize(archive.images) - 1).position > 0;
    });
  }

  void read(Range range, const Visit& visit) const override {
    std::int64_t before = 0;  // images of the archives before
    for (const Archive& archive : archives_) {
      const auto count = std::ssize(archive.images);
      const Range own{std::clamp<std::int64_t>(range.first - before, 0, count),
                      std::clamp<std::int64_t>(range.last - before, 0, count)};
      if (own.size() > 0) read_own(archive, own, before, visit);
      before += count;
    }
  }

 private:
  struct Archive {
    std::string path;
    std::vector<ArchiveMember> members;
    std::vector<std::int64_t> images;  // which of them are

    const ArchiveMember& member_of(std::int64_t image) const {
      return members[static_cast<std::size_t>(images[static_cast<std::size_t>(image)])];
    }
  };

  static void read_own(const Archive& archive, Range own, std::int64_t before, const Visit& visit) {
    const auto at = [&](std::int64_t image) {
      return archive.images[static_cast<std::size_t>(image)];
    };
    std::int64_t next = own.first;
    read_archive(
        archive.path, archive.members, {at(own.first), at(own.last - 1) + 1},
        [&](std::int64_t member, std::span<const std::byte> content) {
          if (member != at(next)) return;
          visit(before + next, {reinterpret_cast<const char*>(content.data()), content.size()});
          ++next;
        });
  }

  // A key counts within its archive.
  void read_labels() {
    std::size_t entry = 0;
    for (const Archive& archive : archives_) {
      std::unordered_map<std::string, std::string> labels;
      read_archive(
          archive.path, archive.members, {0, std::ssize(archive.members)},
          [&](std::int64_t member, std::span<const std::byte> content) {
            const std::string& name = archive.members[static_cast<std::size_t>(member)].name;
            if (!name.ends_with(kLabelEnding)) return;
            constexpr std::size_t kMostLabelBytes = 4096;
            if (content.size() > kMostLabelBytes) {
              fail_usage("{}:{}: {} bytes; expected a label", archive.path, printable(name),
                         content.size());
            }
            std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
            text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
            labels.emplace(key_of(name), text);
          });
      for (std::size_t i = 0; i < archive.images.size(); ++i, ++entry) {
        const auto found = labels.find(std::string(key_of(entries_[entry].name)));
        if (found == labels.end() || found->second.empty()) {
          fail_usage("{}:{}: no label; expected {}{}", archive.path,
                     printable(entries_[entry].name), printable(key_of(entries_[entry].name)),
                     kLabelEnding);
        }
        entries_[entry].label = found->second;
      }
    }
  }

  std::string name_;
  std::vector<Archive> archives_;
  std::vector<ImageEntry> entries_;
  std::string found_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<ImageFiles> open_image_archives(const std::string& name,
                                                const std::vector<std::string>& paths) {
  return std::make_unique<ArchiveFiles>(name, paths);
}

}  // namespace lockstep
