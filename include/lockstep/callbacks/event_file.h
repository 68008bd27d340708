// An event file for TensorBoard: records of Event messages (TensorFlow's event.proto
// and summary.proto), each framed by its length and masked CRC-32C sums, as TFRecord
// files are. A record is in the file when the call that wrote it returns, so a running
// TensorBoard shows it. Where a write fails (a full disk), a line goes to the log, and
// what was not written is tried again with the next record.
//
// Owned by one thread. Local. Errors: Error (1) for a file that cannot be made.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lockstep/callbacks/growing_file.h"
#include "lockstep/core/files.h"

namespace lockstep {

class EventFile {
 public:
  // Makes a new file in `folder`, which is made where there is none. Its name sorts
  // after those that are there, so it is read after them.
  explicit EventFile(const fs::path& folder);

  const fs::path& path() const { return path_; }

  // What earlier records, in this file or in earlier ones, tell of `step` and later
  // steps no longer holds.
  void restart(std::int64_t step);

  void add_scalar(const std::string& tag, std::int64_t step, double value);
  // Markdown.
  void add_text(const std::string& tag, std::int64_t step, const std::string& text);
  // The bytes of a PNG file; an Error (1) for anything else.
  void add_image(const std::string& tag, std::int64_t step, std::string_view png);

 private:
  void add_summary(std::int64_t step, const std::string& value);
  void append(const std::string& event);

  fs::path path_;
  GrowingFile file_;
};

}  // namespace lockstep
