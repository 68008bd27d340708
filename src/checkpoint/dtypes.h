// The types of values that a safetensors file may hold. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lockstep {

// Bytes of a value of the type of that name; 0 for a name that is not known.
std::size_t dtype_bytes(std::string_view dtype);

// Whether values of the type can be read as floats: F32, F64, F16, BF16.
bool is_float(std::string_view dtype);

// `count` values of such a type from unaligned bytes; F64 is rounded to the nearest float.
void to_floats(std::string_view dtype, const char* bytes, std::int64_t count, float* floats);

// Of such values: whether one is finite, but beyond the largest float.
bool beyond_floats(std::string_view dtype, const char* bytes, std::int64_t count);

}  // namespace lockstep
