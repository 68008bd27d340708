#include "serve/answer_memory.h"

namespace lockstep {

AnswerMemory::Room AnswerMemory::take(std::size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    if (taken_ > 0 && taken_ + bytes > most_) return {};
    taken_ += bytes;
  }
  return {this, [bytes](AnswerMemory* memory) {
            const std::lock_guard lock(memory->mutex_);
            memory->taken_ -= bytes;
          }};
}

}  // namespace lockstep
