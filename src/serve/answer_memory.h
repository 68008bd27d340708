// The bytes of the answers under way, so that they stay within a number however slowly they
// are taken. Any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>

namespace lockstep {

class AnswerMemory {
 public:
  explicit AnswerMemory(std::size_t most) : most_(most) {}

  // Room for an answer of `bytes`, as long as what it gives is kept; null where others have
  // too much. An answer that is alone has room whatever its size. This must outlive it.
  using Room = std::shared_ptr<const void>;
  Room take(std::size_t bytes);

 private:
  const std::size_t most_;
  std::mutex mutex_;
  std::size_t taken_ = 0;
};

}  // namespace lockstep
