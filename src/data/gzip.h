// Gzip files (RFC 1952) of one member, inflated in one go. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lockstep {

// The most that Deflate can shrink: 258 bytes by 2 bits. A size beyond it is a
// lie, and is refused before memory is asked for.
inline constexpr std::uint64_t kMaxDeflateRatio = 1032;

bool is_gzip(std::string_view file);

// The size that the file's trailer gives, in bytes. Error (2) for a file too
// short or a size that cannot be.
std::uint64_t gunzipped_bytes(std::string_view file, const std::string& name);

// Inflates into `out`, of that size, and checks the CRC. Error (2) for a damaged file.
void gunzip(std::string_view file, const std::string& name, std::span<std::byte> out);

}  // namespace lockstep
