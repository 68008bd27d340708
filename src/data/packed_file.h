// A source that lies packed in a file, and the table of the kinds of such files: a kind
// is one file of sources and one line of the table in source_text.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "lockstep/core/files.h"

namespace lockstep {

class PackedFile {
 public:
  virtual ~PackedFile() = default;

  // Of the source, inflated and as it lies in the file.
  virtual std::uint64_t bytes() const = 0;
  virtual std::uint64_t packed_bytes() const = 0;

  // Error (2) where bytes() is more than there can be, before memory is taken for it.
  virtual void check_bytes() const {}

  // The source where it lies in the file as it is; empty where it does not. Whoever takes it
  // compares crc().
  virtual std::string_view stored() const { return {}; }
  // CRC-32 of a source that is stored so.
  virtual std::uint32_t crc() const { return 0; }

  // Inflates into `out`, of bytes(), and checks the CRC. Error (2) for a damaged file.
  virtual void inflate(std::span<std::byte> out) const = 0;
};

// `member` is empty, or the name of one in an archive.
struct Packing {
  bool (*recognizes)(std::string_view file, const std::string& member);
  std::unique_ptr<PackedFile> (*open)(const std::string& path, const std::string& member,
                                      const MappedFile& file);  // which must outlive it
};

extern const Packing kZip;
extern const Packing kGzip;

}  // namespace lockstep
