// Streams of one GPU for work side by side. Owned by the accelerator.
#pragma once

#include <c10/cuda/CUDAStream.h>

#include <functional>
#include <vector>

namespace lockstep {

class Branches {
 public:
  explicit Branches(int device) : device_(device) {}
  ~Branches();
  Branches(const Branches&) = delete;
  Branches& operator=(const Branches&) = delete;

  // As Accelerator::fork. What `work` throws comes out after the branches have joined.
  void fork(int count, const std::function<void(int branch)>& work);

 private:
  struct Branch {
    c10::cuda::CUDAStream stream;
    cudaEvent_t done;
  };

  void provide(int count);
  static cudaError_t join(const Branch& branch, cudaStream_t trunk);

  int device_;
  cudaEvent_t begun_ = nullptr;
  std::vector<Branch> branches_;
};

// A stream that waits for no other by itself. It lasts as long as the process: LibTorch's
// caches go on naming it.
c10::cuda::CUDAStream make_stream(int device);

}  // namespace lockstep
