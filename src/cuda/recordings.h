// What was enqueued, kept for replay: CUDA graphs, which share one pool of memory, since
// they are replayed one after the other. Owned by the accelerator.
#pragma once

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAStream.h>

#include <functional>
#include <memory>
#include <set>
#include <vector>

namespace lockstep {

class Recordings {
 public:
  explicit Recordings(int device);

  // As of Accelerator.
  int record(const std::function<void()>& work);
  void replay(int recording);

  // The recording under way, if any, ends with `part`.
  void depend_on(const void* part);
  // Drops the recordings that depend on `part`; they cannot be replayed any more.
  void drop_with(const void* part);

 private:
  struct Recording {
    std::unique_ptr<at::cuda::CUDAGraph> graph;
    cudaGraphExec_t executable = nullptr;
    std::set<const void*> parts;
  };

  int device_;
  c10::cuda::CUDAStream stream_;
  c10::cuda::MempoolId_t pool_;
  std::vector<Recording> recordings_;
  bool under_way_ = false;  // the last one
};

}  // namespace lockstep
