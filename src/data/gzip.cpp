#include "data/gzip.h"

#include <libdeflate.h>

#include <memory>

#include "lockstep/core/error.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

constexpr std::size_t kLeastBytes = 18;  // header of 10, trailer of 8

}  // namespace

bool is_gzip(std::string_view file) { return file.starts_with("\x1f\x8b"); }

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
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> inflater(
      libdeflate_alloc_decompressor(), &libdeflate_free_decompressor);
  if (!inflater) fail_internal("no memory to inflate {}", name);
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

}  // namespace lockstep
