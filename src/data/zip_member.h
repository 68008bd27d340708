// One member of a zip archive. Inflated in one go with libdeflate, which is
// several times faster than reading through libzip.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

struct zip;

namespace lockstep {

class ZipMember {
 public:
  // Errors (2): no such file, not a zip, no such member, encrypted, a compression
  // other than Deflate, sizes that cannot be.
  ZipMember(const std::string& path, const std::string& member);

  // The member's size when inflated, in bytes.
  std::uint64_t bytes() const { return bytes_; }
  // And in the archive.
  std::uint64_t packed_bytes() const { return packed_bytes_; }

  // Reads the member into `out`, of bytes(), and checks its CRC. Error (2) for a
  // damaged archive.
  void read(std::span<std::byte> out) const;

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
