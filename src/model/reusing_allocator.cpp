#include "model/reusing_allocator.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>
#include <unordered_map>
#include <vector>

namespace lockstep {

namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kGranularity = 4096;  // sizes are rounded up to this
constexpr std::size_t kHugePage = 2u << 20;

// In front of each block, as large as the alignment.
struct Header {
  std::size_t bytes;
};

// The system is asked for huge pages where a block has room for them: passes over
// activations then wait less for the addresses of pages. It may refuse.
void* new_block(std::size_t bytes) {
  if (bytes < kHugePage) return std::aligned_alloc(kAlignment, bytes);
  void* block = nullptr;
  if (posix_memalign(&block, kHugePage, bytes) != 0) return nullptr;
  madvise(block, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  return block;
}

// The free blocks of a thread, by size. A block goes to the thread that frees it.
class FreeBlocks {
 public:
  ~FreeBlocks() {
    for (auto& [bytes, blocks] : by_bytes_) {
      for (void* block : blocks) std::free(block);
    }
  }

  void* take(std::size_t bytes) {
    const auto found = by_bytes_.find(bytes);
    if (found == by_bytes_.end() || found->second.empty()) return nullptr;
    void* block = found->second.back();
    found->second.pop_back();
    kept_bytes_ -= bytes;
    return block;
  }

  void keep(void* block, std::size_t bytes) {
    if (kept_bytes_ + bytes > kMostFreeBytes) return std::free(block);
    by_bytes_[bytes].push_back(block);
    kept_bytes_ += bytes;
  }

 private:
  std::unordered_map<std::size_t, std::vector<void*>> by_bytes_;
  std::size_t kept_bytes_ = 0;
};

// The thread's free blocks; null once the thread is ending, since tensors may
// outlive its objects.
FreeBlocks* free_blocks() {
  thread_local bool ended = false;  // trivial, so it outlives the holder
  struct Holder {
    FreeBlocks blocks;
    ~Holder() { ended = true; }
  };
  thread_local Holder holder;
  return ended ? nullptr : &holder.blocks;
}

void release(void* data) {
  if (data == nullptr) return;
  void* block = static_cast<std::byte*>(data) - kAlignment;
  FreeBlocks* blocks = free_blocks();
  if (blocks == nullptr) return std::free(block);
  blocks->keep(block, static_cast<Header*>(block)->bytes);
}

class ReusingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t count) override {
    const c10::Device cpu(c10::DeviceType::CPU);
    if (count == 0) return {nullptr, nullptr, &release, cpu};
    const std::size_t bytes = block_bytes(count);
    FreeBlocks* blocks = free_blocks();
    void* block = blocks == nullptr ? nullptr : blocks->take(bytes);
    if (block == nullptr) block = new_block(bytes);
    if (block == nullptr) throw std::bad_alloc();
    new (block) Header{bytes};
    void* data = static_cast<std::byte*>(block) + kAlignment;
    return {data, data, &release, cpu};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* to, const void* from, std::size_t count) const override {
    std::memcpy(to, from, count);
  }
};

}  // namespace

std::size_t block_bytes(std::size_t tensor_bytes) {
  return (tensor_bytes + kAlignment + kGranularity - 1) / kGranularity * kGranularity;
}

void use_reusing_allocator() {
  static ReusingAllocator allocator;
  static const bool set = [] {
    c10::SetCPUAllocator(&allocator, /*priority=*/1);
    return true;
  }();
  static_cast<void>(set);
}

}  // namespace lockstep
