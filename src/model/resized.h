// Buffers that grow and stay, and begin with a line of the cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace lockstep {

inline constexpr std::size_t kBytesOfLine = 64;

template <typename T>
struct LineAllocator {
  using value_type = T;

  LineAllocator() = default;
  template <typename U>
  explicit LineAllocator(const LineAllocator<U>&) {}

  T* allocate(std::size_t count) {
    return static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{kBytesOfLine}));
  }
  void deallocate(T* values, std::size_t) noexcept {
    ::operator delete (values, std::align_val_t{kBytesOfLine});
  }
  friend bool operator==(const LineAllocator&, const LineAllocator&) { return true; }
};

template <typename T>
using Buffer = std::vector<T, LineAllocator<T>>;

// At least `values` values: whole lines, an odd number of them, so that rows so far apart do not
// all fall on the same lines of a cache.
template <typename T>
std::int64_t odd_lines(std::int64_t values) {
  constexpr auto kLine = static_cast<std::int64_t>(kBytesOfLine / sizeof(T));
  return ((values + kLine - 1) / kLine | 1) * kLine;
}

// At least so large: it is larger where another layer needs it.
template <typename T>
T* resized(Buffer<T>& values, std::int64_t size) {
  if (static_cast<std::int64_t>(values.size()) < size) {
    values.resize(static_cast<std::size_t>(size));
  }
  return values.data();
}

}  // namespace lockstep
