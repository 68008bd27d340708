// The host's accelerator with a queue: what was recorded runs in wait() alone, and copies of a
// feed at another extreme of what their order allows. So what does not wait for what it needs
// gives other bits.
#pragma once

#include <memory>

#include "lockstep/gpu/accelerator.h"

namespace lockstep {

// When a copy of a feed is made: as soon as it may be, or when something waits for it.
enum class CopyTime { kSoon, kLate };

// What a feed forgets, so that a test can see the fault.
enum class FeedFault {
  kNone,
  kUsedBeforeSent,    // work does not wait for its copy
  kSentBeforeUsed,    // a copy does not wait for the work that reads the place
  kFilledBeforeSent,  // nor does who fills the host's memory for the copy out of it
};

std::unique_ptr<Accelerator> make_late_accelerator(CopyTime copies,
                                                   FeedFault fault = FeedFault::kNone);

}  // namespace lockstep
