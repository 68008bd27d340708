// While it exists, the thread's arithmetic takes numbers below the normal ones for zero and
// gives zero for them, as the instruction for pairs of bf16 always does. In an unnamed
// namespace: code for one instruction set must not be linked into another's place.
#pragma once

#include <immintrin.h>

namespace lockstep {

namespace {

class FlushMode {
 public:
  FlushMode() : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlush); }
  ~FlushMode() { _mm_setcsr(before_); }
  FlushMode(const FlushMode&) = delete;
  FlushMode& operator=(const FlushMode&) = delete;

 private:
  static constexpr unsigned int kFlush = 0x8040;  // results, and what is read

  unsigned int before_;
};

}  // namespace

}  // namespace lockstep
