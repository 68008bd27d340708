// Files, read whole or mapped, and written so that a reader sees the old file or
// the new one and never a part. Errors: Error (exit code 2 for a file that is not
// there or may not be read, 1 for a fault of the machine and a failed write). Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "lockstep/core/error.h"

namespace lockstep {

namespace fs = std::filesystem;

// A file that is there, but cannot be read now: no permission (2), or a fault of the
// machine (1). It may be whole.
class UnreadableFile final : public Error {
 public:
  using Error::Error;
};

// What the name of a file under way ends with.
inline constexpr std::string_view kTemporaryEnding = ".lockstep-tmp";

// The whole file as bytes in a string.
std::string read_file(const fs::path& path);

// Writes a temporary file beside `path`, syncs it, renames it to `path` and
// syncs the folder. A file that is there keeps its mode; a link is replaced, and what it names
// left alone.
void write_file_atomically(const fs::path& path, std::string_view content);

// The same for a place that the user names: a link stays, what it names is replaced; a device
// or a pipe is written to.
void write_output_file(const fs::path& path, std::string_view content);

// Writes `path` itself and syncs it; for files of a folder that is renamed later. What has the
// name is removed, and no link followed.
void write_file_durably(const fs::path& path, std::string_view content);

// Removes what a process that was killed within write_file_atomically() left in a folder in
// which nobody else writes.
void remove_temporary_files(const fs::path& folder);

// Makes a rename or a new entry in `folder` durable.
void sync_folder(const fs::path& folder);

// A file mapped read-only; unmapped by the destructor.
class MappedFile {
 public:
  explicit MappedFile(const fs::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  std::string_view text() const { return {data_, size_}; }

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

// The size of a regular file in bytes; an Error that names the file otherwise.
std::uint64_t file_bytes(const fs::path& path);

}  // namespace lockstep
