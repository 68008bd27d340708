// Image files as a source: each is decoded and brought to the shape of the network's images, by
// as many threads as the rank has cores.

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <unordered_map>

#include "data/archive.h"
#include "data/image_files.h"
#include "data/image_list.h"
#include "data/rows_builder.h"
#include "data/source_format.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/share.h"
#include "lockstep/core/text.h"
#include "lockstep/core/workers.h"
#include "lockstep/pictures/decode_image.h"
#include "lockstep/pictures/fit_picture.h"

namespace lockstep {

namespace {

constexpr std::int64_t kMostLooked = 64;  // files whose headers guess a shape
constexpr std::int64_t kTaken = 16;       // files that a thread takes at a time

int own_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  return ::sched_getaffinity(0, sizeof(cores), &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

Picture cropped(const Picture& picture, const PictureCrop& crop) {
  if (crop.left >= crop.right || crop.top >= crop.bottom || crop.right > picture.width ||
      crop.bottom > picture.height) {
    fail_usage("the crop from {}, {} to {}, {} is not within its {}x{} pixels", crop.left, crop.top,
               crop.right, crop.bottom, picture.width, picture.height);
  }
  Picture part{crop.right - crop.left, crop.bottom - crop.top, picture.channels, {}};
  const auto row_bytes = static_cast<std::ptrdiff_t>(part.width) * part.channels;
  for (int y = crop.top; y < crop.bottom; ++y) {
    const auto first =
        picture.pixels.begin() + (std::ptrdiff_t{y} * picture.width + crop.left) * picture.channels;
    part.pixels.insert(part.pixels.end(), first, first + row_bytes);
  }
  return part;
}

// Decodes files into their rows. The first error by the files' order is kept.
class Decoder {
 public:
  Decoder(const ImageFiles& files, const DataOptions& options, Range range, FileRows& rows)
      : files_(files), options_(options), range_(range), rows_(rows) {}

  void run(int threads) {
    const bool anywhere = files_.reads_anywhere();
    Workers workers(anywhere ? threads : threads + 1, [] {});
    workers.run([&](int worker) {
      if (anywhere) {
        decode_anywhere();
      } else if (worker == 0) {
        read_in_order();
      } else {
        decode_queued();
      }
    });
    if (failed_at_ < range_.last) throw Error(*error_);
  }

 private:
  struct Queued {
    std::int64_t index;
    std::string content;
  };

  void decode_anywhere() {
    for (std::int64_t first = next_.fetch_add(kTaken); range_.first + first < range_.last;
         first = next_.fetch_add(kTaken)) {
      const Range taken{range_.first + first, std::min(range_.first + first + kTaken, range_.last)};
      if (taken.first > failed_at_) return;
      guarded(taken.first, [&] {
        files_.read(taken,
                    [&](std::int64_t index, std::string_view content) { decode(index, content); });
      });
    }
  }

  void read_in_order() {
    constexpr std::size_t kMostQueuedBytes = 64 << 20;
    guarded(range_.last - 1, [&] {
      files_.read(range_, [&](std::int64_t index, std::string_view content) {
        if (index > failed_at_) return;
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return queued_bytes_ < kMostQueuedBytes; });
        queued_bytes_ += content.size();
        queue_.push_back({index, std::string(content)});
        changed_.notify_all();
      });
    });
    const std::lock_guard lock(mutex_);
    all_read_ = true;
    changed_.notify_all();
  }

  void decode_queued() {
    while (true) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return all_read_ || !queue_.empty(); });
      if (queue_.empty()) return;
      const Queued next = std::move(queue_.front());
      queue_.pop_front();
      queued_bytes_ -= next.content.size();
      changed_.notify_all();
      lock.unlock();
      decode(next.index, next.content);
    }
  }

  void decode(std::int64_t index, std::string_view content) {
    guarded(index, [&] {
      try {
        const ImageEntry& entry = files_.entries()[static_cast<std::size_t>(index)];
        const auto pixels = entry.crop
                                ? fit_picture(cropped(decode_image(content, options_.shape.channels,
                                                                   options_.images.background),
                                                      *entry.crop),
                                              options_.shape, options_.images)
                                : fit_image(content, options_.shape, options_.images);
        std::copy(pixels.begin(), pixels.end(), rows_.bytes_of_row(index - range_.first));
      } catch (const Error& error) {
        throw error.within(printable(files_.place_of(index)));
      }
    });
  }

  template <typename Work>
  void guarded(std::int64_t index, Work work) {
    try {
      work();
    } catch (const Error& error) {
      keep(index, error);
    } catch (const std::exception& error) {
      keep(index, Error(ExitCode::kInternal, fmt::format("{}: {}", files_.name(), error.what())));
    }
  }

  void keep(std::int64_t index, const Error& error) {
    const std::lock_guard lock(mutex_);
    if (index >= failed_at_) return;
    failed_at_ = index;
    error_.emplace(error);
  }

  const ImageFiles& files_;
  const DataOptions& options_;
  Range range_;
  FileRows& rows_;
  std::atomic<std::int64_t> next_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Queued> queue_;
  std::size_t queued_bytes_ = 0;
  bool all_read_ = false;
  std::atomic<std::int64_t> failed_at_{std::numeric_limits<std::int64_t>::max()};
  std::optional<Error> error_;
};

class ImageSource : public Source {
 public:
  ImageSource(std::unique_ptr<ImageFiles> files, int threads)
      : files_(std::move(files)), threads_(threads) {}

  const char* format() const override { return "images"; }
  const std::string& name() const override { return files_->name(); }
  std::uint64_t bytes() const override { return files_->bytes(); }
  std::uint64_t packed_bytes() const override { return 0; }
  Cost cost() const override { return Cost::kDecode; }

  ImageShape shape(const DataOptions& options) const override;

  Look look(const DataOptions& options, Labels labels) const override {
    const auto& entries = files_->entries();
    const int channels = options.shape.channels;
    if (channels != 1 && channels != 3) {
      fail_usage("{}: image files can be brought to 1 or 3 channels; data.shape.channels is {}",
                 name(), channels);
    }
    if (labels == Labels::kRequired && !entries.front().label) {
      fail_usage(
          "{}: its images have no labels; expected a folder for each class, or a list of "
          "files and labels as the field `labels` of the source",
          name());
    }
    return {options, files_->found(), std::ssize(entries)};
  }

  FileRows read(const DataOptions& options, Labels labels, FilePart part) const override;

  std::string place_of_label(const DataOptions& /*options*/, FilePart part,
                             std::int64_t index) const override {
    return files_->place_of(range_of(part).first + index);
  }

 private:
  Range range_of(FilePart part) const {
    return share_of(std::ssize(files_->entries()), part.count, part.index);
  }

  std::unique_ptr<ImageFiles> files_;
  int threads_;
};

// The commonest size, grey where all are; where there is none, a square that networks are
// often given.
ImageShape ImageSource::shape(const DataOptions& /*options*/) const {
  constexpr int kUsualSide = 64;
  std::map<std::pair<int, int>, std::int64_t> sizes;
  int channels = 1;
  const std::int64_t looked = std::min(std::ssize(files_->entries()), kMostLooked);
  files_->read({0, looked}, [&](std::int64_t index, std::string_view content) {
    try {
      const ImageHeader header = read_image_header(content);
      ++sizes[{header.height, header.width}];
      channels = std::max(channels, header.channels);
    } catch (const Error& error) {
      throw error.within(printable(files_->place_of(index)));
    }
  });
  const auto commonest = std::max_element(sizes.begin(), sizes.end(),
                                          [](auto& a, auto& b) { return a.second < b.second; });
  const auto [height, width] = commonest->first;
  const bool usual = 2 * commonest->second > looked && std::max(height, width) <= 4 * kUsualSide;
  return usual ? ImageShape{height, width, channels} : ImageShape{kUsualSide, kUsualSide, channels};
}

FileRows ImageSource::read(const DataOptions& options, Labels /*labels*/, FilePart part) const {
  const Range range = range_of(part);
  FileRows rows = RowsBuilder(name(), range.size(), options.shape.pixels()).take();
  Decoder(*files_, options, range, rows).run(threads_);
  rows.count = range.size();
  const auto& entries = files_->entries();
  rows.labelled = entries.front().label.has_value();
  const bool says_use = entries.front().use.has_value();
  std::unordered_map<std::string, std::int32_t> index_of;
  for (std::int64_t i = 0; i < rows.count; ++i) {
    const ImageEntry& entry = entries[static_cast<std::size_t>(range.first + i)];
    rows.add_digest_of(i);
    rows.ids.push_back(entry.name);
    if (says_use) rows.uses.push_back(entry.use.value());
    if (!rows.labelled) continue;
    const auto next = static_cast<std::int32_t>(index_of.size());
    const auto [found, is_new] = index_of.emplace(entry.label.value(), next);
    if (is_new) rows.label_names.push_back(entry.label.value());
    rows.labels.push_back(found->second);
  }
  return rows;
}

std::unique_ptr<Source> make_source(Communicator& comm,
                                    const std::function<std::unique_ptr<ImageFiles>()>& open) {
  std::unique_ptr<ImageFiles> files;
  comm.begin_long_work("listing the images", kEachRank);
  agree(comm, [&] { files = open(); });
  const int threads = std::max(own_cores() / comm.node_size(), 1);
  return std::make_unique<ImageSource>(std::move(files), threads);
}

// An archive of images, but not one of a text.
bool holds_images(const SourceProbe& probe) {
  if (!probe.source.member.empty()) return false;
  if (!is_archive(MappedFile(probe.source.path).text())) return false;
  try {
    return any_member(probe.source.path, has_image_name);
  } catch (const Error&) {
    if (!probe.head.starts_with("PK")) throw;
    return false;  // the reader of a zip's member says what is wrong
  }
}

}  // namespace

const FileFormat kImages = {
    .recognizes = [](const SourceProbe& probe) { return probe.is_folder || holds_images(probe); },
    .open =
        [](Communicator& comm, const SourceOptions& source) {
          return make_source(comm, [&] {
            if (fs::is_directory(source.path)) {
              return open_image_folder(source.path, source.labels);
            }
            if (!source.labels.empty()) {
              fail_usage(
                  "{}: an archive of images has its labels in it; expected no field `labels`",
                  source.path);
            }
            return open_image_archives(source.path, {source.path});
          });
        }};

const FileFormat kImageList = {
    .recognizes =
        [](const SourceProbe& probe) {
          return probe.source.member.empty() && is_image_list(probe.head, probe.source.path);
        },
    .open =
        [](Communicator& comm, const SourceOptions& source) {
          return make_source(comm, [&] {
            if (!source.labels.empty()) {
              fail_usage("{}: a list of images has their labels; expected no field `labels`",
                         source.path);
            }
            const MappedFile file(source.path);
            return open_image_list(file.text(), source.path,
                                   fs::path(source.path).parent_path().string());
          });
        }};

}  // namespace lockstep
