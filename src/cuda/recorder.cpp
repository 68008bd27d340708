#include "cuda/recorder.h"

#include <c10/cuda/CUDAGuard.h>
#include <spdlog/spdlog.h>

#include <exception>
#include <utility>

#include "cuda/branches.h"
#include "cuda/cuda_error.h"

namespace lockstep {

namespace {

using at::cuda::CUDAGraph;

class CudaRecording final : public Recording {
 public:
  CudaRecording(int device, std::unique_ptr<CUDAGraph> graph,
                std::shared_ptr<const c10::cuda::MempoolId_t> pool)
      : device_(device), pool_(std::move(pool)), graph_(std::move(graph)) {}

  void replay() override {
    // Not by CUDAGraph::replay, which first prepares random numbers that nothing uses.
    const cudaStream_t stream =
        c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device_)).stream();
    check(cudaGraphLaunch(graph_->raw_cuda_graph_exec(), stream), "cudaGraphLaunch");
  }

 private:
  int device_;
  std::shared_ptr<const c10::cuda::MempoolId_t> pool_;
  std::unique_ptr<CUDAGraph> graph_;
};

}  // namespace

Recorder::Recorder(int device) : device_(device), stream_(make_stream(device)) {}

std::shared_ptr<const Recorder::Pool> Recorder::pool() {
  std::shared_ptr<const Pool> pool = pool_.lock();
  if (pool == nullptr) pool = std::make_shared<const Pool>(at::cuda::graph_pool_handle());
  pool_ = pool;
  return pool;
}

std::unique_ptr<Recording> Recorder::record(const std::function<void()>& work) {
  const std::shared_ptr<const Pool> memory = pool();
  auto graph = std::make_unique<CUDAGraph>();
  const c10::cuda::CUDAStreamGuard guard(stream_);
  // NCCL's threads may allocate meanwhile.
  graph->capture_begin(*memory, cudaStreamCaptureModeThreadLocal);
  std::exception_ptr thrown;
  try {
    work();
  } catch (...) {
    thrown = std::current_exception();
  }
  try {
    graph->capture_end();
  } catch (const std::exception& error) {
    broken_.push_back(std::move(graph));
    if (!thrown) throw;
    spdlog::debug("a recording that failed could not be ended: {}", error.what());
  }
  if (thrown) std::rethrow_exception(thrown);
  return std::make_unique<CudaRecording>(device_, std::move(graph), memory);
}

}  // namespace lockstep
