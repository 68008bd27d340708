// Buffers that grow and stay.
#pragma once

#include <cstdint>
#include <vector>

namespace lockstep {

// At least so large: it is larger where another layer needs it.
template <typename T>
T* resized(std::vector<T>& values, std::int64_t size) {
  if (static_cast<std::int64_t>(values.size()) < size) {
    values.resize(static_cast<std::size_t>(size));
  }
  return values.data();
}

}  // namespace lockstep
