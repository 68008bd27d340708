// The reusing allocator's memory of a thread in numbers, to know beforehand what it will hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace lockstep {

class PretendedMemory {
 public:
  using Block = std::size_t;
  static constexpr Block kNone = static_cast<Block>(-1);  // taken by nobody: the calls pass it over

  // With one user.
  Block take(std::int64_t bytes);
  // The same block, with one user more.
  Block share(Block block);
  // By one of its users.
  void give_back(Block block);
  int users(Block block) const { return blocks_[block].users; }

  // The most that was held at once, in use and free.
  std::int64_t peak() const { return peak_; }

 private:
  struct Entry {
    std::int64_t bytes;
    int users;
  };

  std::vector<Entry> blocks_;
  std::map<std::int64_t, int> free_;  // blocks, by bytes
  std::int64_t free_bytes_ = 0;
  std::int64_t held_ = 0;
  std::int64_t peak_ = 0;
};

}  // namespace lockstep
