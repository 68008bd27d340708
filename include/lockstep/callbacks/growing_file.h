// A file that only grows, whose writer outlives a full disk: what could not be written is
// kept, and tried again with what comes next. A line goes to the log when that begins.
//
// Owned by a callback that writes. Local, one thread.
#pragma once

#include <string>
#include <string_view>

#include "lockstep/core/files.h"

namespace lockstep {

class GrowingFile {
 public:
  GrowingFile() = default;
  ~GrowingFile();
  GrowingFile(const GrowingFile&) = delete;
  GrowingFile& operator=(const GrowingFile&) = delete;

  // `flags` of open(2), O_CREAT for one, besides those for appending. Error (1).
  void open(const fs::path& path, int flags);
  // Returns what could not be written.
  std::string close();

  // In the file when this returns, but for a failed write.
  void append(std::string_view content);

 private:
  fs::path path_;
  int file_ = -1;  // its descriptor
  std::string unwritten_;
};

}  // namespace lockstep
