// The kernels of src/gpu/kernels, compiled for the host: threads of a block take turns,
// each up to the next barrier.
#pragma once

#include <map>
#include <string>

#include "lockstep/gpu/accelerator.h"

namespace lockstep {

// Which thread of which block runs; what the kernels read.
struct HostThread {
  unsigned x = 0;
  unsigned y = 0;
};
extern HostThread host_thread;
extern HostThread host_block;
extern HostThread host_block_size;

enum class Barriers { kNone, kSome };

struct HostKernel {
  void (*run)(const void* arguments);  // one thread
  Barriers barriers;
};

// By name.
const std::map<std::string, HostKernel>& host_kernels_fp32();
const std::map<std::string, HostKernel>& host_kernels_bf16();

// Every thread of every block of the grid, one after the other.
void run_on_host(const HostKernel& kernel, const Grid& grid, const void* arguments);

// By a thread of a kernel: waits for the others of its block.
void host_barrier();

}  // namespace lockstep
