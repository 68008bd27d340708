// Zeroed memory straight from the system, in huge pages where it has some: fresh
// small pages cost more than the parsing of what is put there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace lockstep {

class ZeroedPages {
 public:
  ZeroedPages() = default;
  // Throws std::bad_alloc. Pages that are never touched take no memory.
  explicit ZeroedPages(std::size_t bytes);
  ~ZeroedPages();
  ZeroedPages(ZeroedPages&& other) noexcept { swap(other); }
  ZeroedPages& operator=(ZeroedPages&& other) noexcept {
    swap(other);
    return *this;
  }

  std::uint8_t* data() const { return data_; }

 private:
  void swap(ZeroedPages& other) {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }

  std::uint8_t* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace lockstep
