// One member of a zip archive. Inflated in one go with libdeflate, which is
// several times faster than reading through libzip.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/packed_file.h"

struct zip;

namespace lockstep {

class ZipMember : public PackedFile {
 public:
  // Errors (2): no such file, not a zip, no such member, encrypted, a compression
  // other than Deflate, sizes that cannot be.
  // `file` is what `path` holds, if that is mapped: it must outlive this.
  ZipMember(const std::string& path, const std::string& member, std::string_view file = {});

  std::uint64_t bytes() const override { return bytes_; }
  std::uint64_t packed_bytes() const override { return packed_bytes_; }
  void check_bytes() const override;
  std::string_view stored() const override { return stored_; }
  std::uint32_t crc() const override { return crc_; }
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
  std::string_view stored_;
};

// The names of the members. Error (2): no zip archive.
std::vector<std::string> members_of_zip(const std::string& path);

// The same for errors: "a.csv, b.csv".
std::string zip_member_names(const std::string& path);

}  // namespace lockstep
