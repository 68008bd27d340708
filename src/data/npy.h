// NumPy's arrays as they lie in .npy files, versions 1 to 3 (numpy.lib.format): a mark, the
// length of the header, the header as a Python dictionary, then the values. The dictionary is
// read by a grammar of its own three entries; nothing of it is evaluated.
//
// Plain values, which see the file's bytes. Any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/core/share.h"

namespace lockstep {

inline constexpr std::size_t kMostNpyDimensions = 5;
inline constexpr std::size_t kMostNpyHeaderBytes = 64u << 10;

enum class NpyKind : std::uint8_t { kUnsigned, kSigned, kFloat };  // truth values are unsigned
enum class ByteOrder : std::uint8_t { kLittle, kBig };

struct NpyArray {
  std::string name;  // for errors
  std::string type;  // as in the file: "<f4"
  NpyKind kind = NpyKind::kUnsigned;
  std::size_t item_bytes = 1;  // 1, 2, 4 or 8
  ByteOrder order = ByteOrder::kLittle;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;  // in elements; those of Fortran order differ
  std::int64_t size = 0;              // the product of `shape`
  std::string_view values;            // of size * item_bytes bytes

  // "(60000, 28, 28)".
  std::string shape_text() const;
};

bool is_npy(std::string_view file);

// Error (2): "NAME: ..." for a file that is not one, is cut or has bytes left over, for values
// that are no numbers, and for a shape that does not agree with the bytes that are there.
NpyArray parse_npy(std::string_view file, const std::string& name);

// The elements in `range`, counted in C order whatever the file's order. Exact but for whole
// numbers beyond 2^53, which are rounded. `out` has range.size() elements.
void read_npy(const NpyArray& array, Range range, std::span<double> out);

// The same where they lie, if they are bytes in C order; else empty.
std::string_view npy_bytes(const NpyArray& array, Range range);

}  // namespace lockstep
