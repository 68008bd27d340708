// The image files of a source, wherever they lie: in a folder, in archives, or named by a list.
// Made by each rank for itself; any thread. Errors (2) name the file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/row_use.h"
#include "lockstep/core/share.h"

namespace lockstep {

// Columns and rows of pixels, the last ones outside.
struct PictureCrop {
  int left = 0;
  int top = 0;
  int right = 0;
  int bottom = 0;
};

struct ImageEntry {
  std::string name;                  // in its folder or archive
  std::optional<std::string> label;  // none: it has no label
  std::optional<RowUse> use;         // none: the source does not say
  std::optional<PictureCrop> crop;   // none: the whole picture
};

class ImageFiles {
 public:
  virtual ~ImageFiles() = default;

  virtual const std::string& name() const = 0;  // of the source, for errors
  virtual std::uint64_t bytes() const = 0;      // of the files as they are stored
  // How the labels are told, and what was passed over, in words.
  virtual const std::string& found() const = 0;
  // In the order of the rows.
  virtual const std::vector<ImageEntry>& entries() const = 0;
  // FILE or ARCHIVE:MEMBER.
  virtual std::string place_of(std::int64_t index) const = 0;

  // Whether a range is read without reading what lies before it.
  virtual bool reads_anywhere() const = 0;
  // The content of each file in `range`, in order; it lies there until `visit` returns.
  using Visit = std::function<void(std::int64_t index, std::string_view content)>;
  virtual void read(Range range, const Visit& visit) const = 0;
};

// The files of a folder and of the folders in it, by name; with `list`, a CSV file, those that it
// names. A folder of archives is what is in the archives, in the order of their names.
std::unique_ptr<ImageFiles> open_image_folder(const std::string& folder, const std::string& list);

// The files that a CSV text names in a column; their names count from `folder`.
std::unique_ptr<ImageFiles> open_image_list(std::string_view text, const std::string& name,
                                            const std::string& folder);

// The files of archives, in the order of the archives.
std::unique_ptr<ImageFiles> open_image_archives(const std::string& name,
                                                const std::vector<std::string>& paths);

// Labels and uses by folders: the parts of names that all have in common are left out; a first
// part that says training, validation or test is the use; the next one is the label. Says how in
// words. Error (2): some files have a folder and some have none.
std::string label_by_folders(const std::string& source, std::vector<ImageEntry>& entries);

}  // namespace lockstep
