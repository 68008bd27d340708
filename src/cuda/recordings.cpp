#include "cuda/recordings.h"

#include <c10/cuda/CUDAGuard.h>
#include <spdlog/spdlog.h>

#include "cuda/branches.h"
#include "cuda/cuda_error.h"

namespace lockstep {

Recordings::Recordings(int device)
    : device_(device), stream_(make_stream(device)), pool_(at::cuda::graph_pool_handle()) {}

int Recordings::record(const std::function<void()>& work) {
  if (under_way_) fail_internal("a recording was begun within a recording");
  // It stays where it fails: LibTorch's allocator may still point to it.
  recordings_.emplace_back().graph = std::make_unique<at::cuda::CUDAGraph>();
  at::cuda::CUDAGraph& graph = *recordings_.back().graph;
  const c10::cuda::CUDAStreamGuard guard(stream_);
  // NCCL's threads may allocate meanwhile.
  graph.capture_begin(pool_, cudaStreamCaptureModeThreadLocal);
  under_way_ = true;
  try {
    work();
  } catch (...) {
    under_way_ = false;
    try {
      graph.capture_end();
    } catch (const std::exception& error) {
      spdlog::debug("a recording that failed could not be ended: {}", error.what());
    }
    throw;
  }
  under_way_ = false;
  graph.capture_end();
  recordings_.back().executable = graph.raw_cuda_graph_exec();
  return static_cast<int>(recordings_.size()) - 1;
}

void Recordings::replay(int recording) {
  const cudaGraphExec_t executable = recordings_.at(static_cast<std::size_t>(recording)).executable;
  if (executable == nullptr) {
    fail_internal("recording {} was dropped, with the transport that it used", recording);
  }
  // Not by CUDAGraph::replay, which first prepares random numbers that nothing uses.
  const cudaStream_t stream =
      c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device_)).stream();
  check(cudaGraphLaunch(executable, stream), "cudaGraphLaunch");
}

void Recordings::depend_on(const void* part) {
  if (under_way_) recordings_.back().parts.insert(part);
}

void Recordings::drop_with(const void* part) {
  for (Recording& recording : recordings_) {
    if (!recording.parts.contains(part)) continue;
    recording.executable = nullptr;
    recording.graph.reset();
    recording.parts.clear();
  }
}

}  // namespace lockstep
