// What the readers of deflated files share.
#pragma once

#include <libdeflate.h>

#include <cstdint>
#include <memory>
#include <string>

#include "lockstep/core/error.h"

namespace lockstep {

// The most that Deflate can shrink: 258 bytes by 2 bits. A size beyond it is a
// lie, and is refused before memory is asked for.
inline constexpr std::uint64_t kMaxDeflateRatio = 1032;

using Inflater = std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)>;

inline Inflater make_inflater(const std::string& name) {
  Inflater inflater(libdeflate_alloc_decompressor(), &libdeflate_free_decompressor);
  if (!inflater) fail_internal("no memory to inflate {}", name);
  return inflater;
}

}  // namespace lockstep
