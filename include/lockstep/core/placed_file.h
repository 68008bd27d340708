// A file that several processes write, each bytes of its own at their places, and that takes its
// name when it is whole: a reader sees all of it or nothing.
//
// Owned by who writes. Errors: Error (1), that of a failed write or of a full disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "lockstep/core/files.h"

namespace lockstep {

// Whether a file is on the disk, and not only with the system, before it takes its name.
enum class Synced { kYes, kNo };

class PlacedFile {
 public:
  // One process makes the temporary file beside `path`; its destructor removes it unless it was
  // published. What killed processes left of files of that name an hour ago is removed too.
  static PlacedFile create(const fs::path& path);
  // The others open it, by the temporary() of the one that made it. Error (1) where it is not
  // there: the folder is not one that all of them share.
  static PlacedFile join(const fs::path& path, const fs::path& temporary);
  ~PlacedFile();
  PlacedFile(PlacedFile&& other) noexcept;
  PlacedFile& operator=(PlacedFile&&) = delete;

  const fs::path& temporary() const { return temporary_; }

  // Any thread.
  void write(std::uint64_t offset, std::span<const std::byte> bytes);

  // Ends this process's writing: others see what it wrote when it returns.
  void close(Synced synced);

  // For the one that made it, after all have closed.
  void publish(Synced synced);

 private:
  enum class Maker { kYes, kNo };

  PlacedFile(fs::path path, fs::path temporary, Maker maker);
  [[noreturn]] void fail(const char* operation) const;

  fs::path path_;
  fs::path temporary_;
  int descriptor_ = -1;
  bool removes_ = false;
};

}  // namespace lockstep
