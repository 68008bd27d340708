// One member of a zip archive. Inflated in one go with libdeflate, which is
// several times faster than reading through libzip.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "data/packed_file.h"

struct zip;

namespace lockstep {

class ZipMember : public PackedFile {
 public:
  // Errors (2): no such file, not a zip, no such member, encrypted, a compression
  // other than Deflate, sizes that cannot be.
  ZipMember(const std::string& path, const std::string& member);

  std::uint64_t bytes() const override { return bytes_; }
  std::uint64_t packed_bytes() const override { return packed_bytes_; }
  void inflate(std::span<std::byte> out) const override;

 private:
  struct Close {
    void operator()(zip* archive) const;
  };

  [[noreturn]] void fail_damaged() const;

  std::string name_;
  std::unique_ptr<zip, Close> archive_;
  std::uint64_t index_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t packed_bytes_ = 0;
  std::uint32_t crc_ = 0;
  bool deflated_ = false;
};

// The names of the members, for errors: "a.csv, b.csv".
std::string zip_member_names(const std::string& path);

}  // namespace lockstep
