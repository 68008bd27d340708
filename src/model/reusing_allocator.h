// Memory for LibTorch's CPU tensors that is kept when they go and handed out again
// for the next one of the same size. The steps of a training allocate the same
// sizes over and over, so after the first step the system is not asked any more
// and no page is faulted in.
#pragma once

namespace lockstep {

// Makes it LibTorch's allocator for CPU memory in this process; again: no effect.
void use_reusing_allocator();

}  // namespace lockstep
