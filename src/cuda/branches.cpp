#include "cuda/branches.h"

#include <c10/cuda/CUDAGraphsC10Utils.h>
#include <c10/cuda/CUDAGuard.h>

#include <exception>

#include "cuda/cuda_error.h"

namespace lockstep {

namespace {

cudaEvent_t make_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreate");
  return event;
}

}  // namespace

c10::cuda::CUDAStream make_stream(int device) {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
  return c10::cuda::getStreamFromExternal(stream, static_cast<c10::DeviceIndex>(device));
}

Branches::~Branches() {
  for (const Branch& branch : branches_) cudaEventDestroy(branch.done);
  if (begun_ != nullptr) cudaEventDestroy(begun_);
}

void Branches::provide(int count) {
  // Streams may be made while another one records.
  const c10::cuda::CUDAStreamCaptureModeGuard relaxed(cudaStreamCaptureModeRelaxed);
  if (begun_ == nullptr) begun_ = make_event();
  while (static_cast<int>(branches_.size()) < count) {
    branches_.push_back({make_stream(device_), make_event()});
  }
}

cudaError_t Branches::join(const Branch& branch, cudaStream_t trunk) {
  const cudaError_t recorded = cudaEventRecord(branch.done, branch.stream);
  return recorded == cudaSuccess ? cudaStreamWaitEvent(trunk, branch.done, 0) : recorded;
}

void Branches::fork(int count, const std::function<void(int)>& work) {
  if (count == 1) return work(0);
  provide(count);
  const cudaStream_t trunk =
      c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device_)).stream();
  check(cudaEventRecord(begun_, trunk), "cudaEventRecord");
  std::exception_ptr thrown;
  for (int i = 0; i < count && !thrown; ++i) {
    const Branch& branch = branches_[static_cast<std::size_t>(i)];
    check(cudaStreamWaitEvent(branch.stream, begun_, 0), "cudaStreamWaitEvent");
    const c10::cuda::CUDAStreamGuard guard(branch.stream);
    try {
      work(i);
    } catch (...) {
      thrown = std::current_exception();
    }
    // A recording ends only where all have joined; what was thrown may have ended it.
    const cudaError_t joined = join(branch, trunk);
    if (thrown) {
      cudaGetLastError();
    } else {
      check(joined, "joining a branch");
    }
  }
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace lockstep
