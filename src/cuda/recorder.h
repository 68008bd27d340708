// Keeps what is enqueued, as CUDA graphs. They share one pool of memory, since they are
// replayed one after the other. Owned by the accelerator.
#pragma once

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAStream.h>

#include <functional>
#include <memory>
#include <vector>

#include "lockstep/gpu/accelerator.h"

namespace lockstep {

class Recorder {
 public:
  explicit Recorder(int device);

  // As of Accelerator.
  std::unique_ptr<Recording> record(const std::function<void()>& work);

 private:
  using Pool = c10::cuda::MempoolId_t;

  std::shared_ptr<const Pool> pool();

  int device_;
  c10::cuda::CUDAStream stream_;
  std::weak_ptr<const Pool> pool_;  // LibTorch gives it up with its last recording
  // Graphs that could not be ended: LibTorch's allocator goes on pointing to them.
  std::vector<std::unique_ptr<at::cuda::CUDAGraph>> broken_;
};

}  // namespace lockstep
