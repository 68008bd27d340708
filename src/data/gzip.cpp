// Gzip files (RFC 1952) of one member, inflated in one go.

#include <libdeflate.h>

#include "data/deflate.h"
#include "data/packed_file.h"
#include "lockstep/core/error.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

constexpr std::size_t kLeastBytes = 18;  // header of 10, trailer of 8

bool is_gzip(std::string_view file) { return file.starts_with("\x1f\x8b"); }

// The size that the file's trailer gives.
std::uint64_t gunzipped_bytes(std::string_view file, const std::string& name) {
  if (file.size() < kLeastBytes) {
    fail_usage("{}: damaged gzip file: {}, expected at least {}", name,
               count_of(file.size(), "byte"), kLeastBytes);
  }
  std::uint64_t bytes = 0;
  for (std::size_t i = 1; i <= 4; ++i) {
    bytes = bytes << 8 | static_cast<unsigned char>(file[file.size() - i]);
  }
  if (bytes > file.size() * kMaxDeflateRatio) {
    fail_usage("{}: damaged gzip file: {} bytes cannot inflate to the {} of its trailer", name,
               file.size(), bytes);
  }
  return bytes;
}

void gunzip(std::string_view file, const std::string& name, std::span<std::byte> out) {
  const Inflater inflater = make_inflater(name);
  std::size_t consumed = 0;
  const libdeflate_result result = libdeflate_gzip_decompress_ex(
      inflater.get(), file.data(), file.size(), out.data(), out.size(), &consumed, nullptr);
  // The trailer at the end is that of the last member.
  if (result == LIBDEFLATE_INSUFFICIENT_SPACE || result == LIBDEFLATE_SHORT_OUTPUT ||
      (result == LIBDEFLATE_SUCCESS && is_gzip(file.substr(consumed)))) {
    fail_usage(
        "{}: damaged gzip file, or several gzip members in one: it does not inflate to the size of "
        "its trailer; expected one member: gunzip it and gzip it again",
        name);
  }
  if (result != LIBDEFLATE_SUCCESS || consumed != file.size()) {
    fail_usage("{}: damaged gzip file: it does not inflate to the size and CRC of its trailer",
               name);
  }
}

class GzipFile : public PackedFile {
 public:
  GzipFile(std::string name, const MappedFile& file)
      : name_(std::move(name)), file_(file.text()), bytes_(gunzipped_bytes(file_, name_)) {}

  std::uint64_t bytes() const override { return bytes_; }
  std::uint64_t packed_bytes() const override { return file_.size(); }
  void inflate(std::span<std::byte> out) const override { gunzip(file_, name_, out); }

 private:
  std::string name_;
  std::string_view file_;
  std::uint64_t bytes_;
};

}  // namespace

const Packing kGzip = {
    .recognizes = [](std::string_view file, const std::string&) { return is_gzip(file); },
    .open = [](const std::string& path, const std::string&, const MappedFile& file)
        -> std::unique_ptr<PackedFile> { return std::make_unique<GzipFile>(path, file); }};

}  // namespace lockstep
