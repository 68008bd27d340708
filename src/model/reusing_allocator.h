// Memory for LibTorch's CPU tensors that is kept when they go and handed out again
// for the next one of the same size. The steps of a training allocate the same
// sizes over and over, so after the first step the system is not asked any more
// and no page is faulted in.
#pragma once

#include <cstddef>

namespace lockstep {

// Of free memory that a thread keeps, at most; what is more goes back to the system.
inline constexpr std::size_t kMostFreeBytes = 256u << 20;

// Of the block that a tensor of so many bytes takes.
std::size_t block_bytes(std::size_t tensor_bytes);

// Makes it LibTorch's allocator for CPU memory in this process; again: no effect.
void use_reusing_allocator();

}  // namespace lockstep
