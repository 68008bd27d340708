#include "model/pretended_memory.h"

#include <algorithm>

#include "model/reusing_allocator.h"

namespace lockstep {

PretendedMemory::Block PretendedMemory::take(std::int64_t bytes) {
  const auto size = static_cast<std::int64_t>(block_bytes(static_cast<std::size_t>(bytes)));
  if (int& free = free_[size]; free > 0) {
    --free;
    free_bytes_ -= size;
  } else {
    held_ += size;
    peak_ = std::max(peak_, held_);
  }
  blocks_.push_back({size, 1});
  return blocks_.size() - 1;
}

PretendedMemory::Block PretendedMemory::share(Block block) {
  if (block != kNone) ++blocks_[block].users;
  return block;
}

void PretendedMemory::give_back(Block block) {
  if (block == kNone || --blocks_[block].users > 0) return;
  const std::int64_t size = blocks_[block].bytes;
  if (free_bytes_ + size > static_cast<std::int64_t>(kMostFreeBytes)) {
    held_ -= size;
  } else {
    ++free_[size];
    free_bytes_ += size;
  }
}

}  // namespace lockstep
