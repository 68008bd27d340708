#include "cuda/cuda_accelerator.h"

#include <ATen/Context.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <thread>
#include <vector>

#include "cuda/check.h"
#include "cuda/compile_kernels.h"
#include "cuda/gpu_transport.h"

namespace lockstep {

namespace {

using c10::cuda::CUDAStream;
using c10::cuda::CUDAStreamGuard;

cudaStream_t current_stream() { return c10::cuda::getCurrentCUDAStream().stream(); }

class Event {
 public:
  Event() {
    check_cuda(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreate");
  }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(cudaStream_t stream) {
    check_cuda(cudaEventRecord(event_, stream), "cudaEventRecord");
  }
  void hold(cudaStream_t stream) {
    check_cuda(cudaStreamWaitEvent(stream, event_, 0), "cudaStreamWaitEvent");
  }
  bool is_done() {
    const cudaError_t status = cudaEventQuery(event_);
    if (status == cudaErrorNotReady) return false;
    check_cuda(status, "the GPU's work");
    return true;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

// A stream of a branch, and what it ends with.
struct Branch {
  explicit Branch(c10::DeviceIndex device)
      : stream(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device)) {}

  CUDAStream stream;
  Event end;
};

class CudaAccelerator final : public Accelerator {
 public:
  explicit CudaAccelerator(int index)
      : index_(index), stream_(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device())) {
    cudaDeviceProp properties{};
    check_cuda(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
    name_ = properties.name;
    major_ = properties.major;
    minor_ = properties.minor;
    c10::cuda::setCurrentCUDAStream(stream_);
  }

  ~CudaAccelerator() override {
    graphs_.clear();
    for (const auto& [precision, library] : libraries_) cudaLibraryUnload(library);
    for (const auto& memory : host_memory_) cudaFreeHost(memory.data());
  }

  const std::string& name() const override { return name_; }
  int index() const override { return index_; }

  void load_kernels(Precision precision) override {
    if (!libraries_.contains(precision)) {
      const std::string code = compile_kernels(precision, major_, minor_);
      cudaLibrary_t library = nullptr;
      check_cuda(
          cudaLibraryLoadData(&library, code.data(), nullptr, nullptr, 0, nullptr, nullptr, 0),
          "loading the kernels");
      libraries_.emplace(precision, library);
    }
    library_ = libraries_.at(precision);
    kernels_.clear();
  }

  void launch(const KernelCall& call) override {
    cudaKernel_t& kernel = kernels_[call.name];
    if (kernel == nullptr) {
      check_cuda(cudaLibraryGetKernel(&kernel, library_, call.name), call.name);
    }
    void* arguments[] = {const_cast<void*>(call.arguments)};
    check_cuda(cudaLaunchKernel(reinterpret_cast<const void*>(kernel),
                                dim3{call.grid.blocks_x, call.grid.blocks_y, 1},
                                dim3{call.grid.threads, 1, 1}, arguments, 0, current_stream()),
               call.name);
  }

  void copy_to_device(void* device, const void* host, std::size_t bytes) override {
    check_cuda(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, current_stream()),
               "a copy to the GPU");
  }
  void copy_to_host(void* host, const void* device, std::size_t bytes) override {
    check_cuda(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, current_stream()),
               "a copy from the GPU");
  }

  std::span<std::byte> host_memory(std::size_t bytes) override {
    void* memory = nullptr;
    check_cuda(cudaHostAlloc(&memory, bytes, cudaHostAllocDefault), "cudaHostAlloc");
    std::memset(memory, 0, bytes);
    host_memory_.push_back({static_cast<std::byte*>(memory), bytes});
    return host_memory_.back();
  }

  void fork(int count, const std::function<void(int)>& work) override {
    while (branches_.size() < static_cast<std::size_t>(count)) {
      branches_.push_back(std::make_unique<Branch>(device()));
    }
    const cudaStream_t trunk = current_stream();
    begin_.record(trunk);
    for (int i = 0; i < count; ++i) {
      Branch& branch = *branches_[static_cast<std::size_t>(i)];
      begin_.hold(branch.stream.stream());
      const CUDAStreamGuard guard(branch.stream);
      work(i);
      branch.end.record(branch.stream.stream());
    }
    for (int i = 0; i < count; ++i) branches_[static_cast<std::size_t>(i)]->end.hold(trunk);
  }

  int record(const std::function<void()>& work) override {
    auto graph = std::make_unique<at::cuda::CUDAGraph>();
    // Other threads, NCCL's among them, may go on with what a capture forbids.
    graph->capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
    try {
      work();
    } catch (...) {
      // The capture must end; what it then complains of follows from this.
      try {
        graph->capture_end();
      } catch (const std::exception&) {
      }
      throw;
    }
    graph->capture_end();
    graphs_.push_back(std::move(graph));
    return static_cast<int>(graphs_.size()) - 1;
  }

  void replay(int recording) override { graphs_.at(static_cast<std::size_t>(recording))->replay(); }

  void wait() override {
    end_.record(current_stream());
    while (!end_.is_done()) {
      for (const auto& each : connections_) {
        if (const auto connection = each.lock()) connection->check();
      }
      std::this_thread::yield();
    }
  }

  std::unique_ptr<Transport> connect(Communicator& comm) override {
    if (comm.world_size() == 1) return make_gpu_transport(nullptr, comm);
    const auto connection = std::make_shared<NcclConnection>(comm);
    connections_.push_back(connection);
    return make_gpu_transport(connection, comm);
  }

 private:
  c10::DeviceIndex device() const { return static_cast<c10::DeviceIndex>(index_); }

  int index_;
  CUDAStream stream_;
  std::string name_;
  int major_ = 0;
  int minor_ = 0;
  std::map<Precision, cudaLibrary_t> libraries_;
  cudaLibrary_t library_ = nullptr;  // of the precision in use
  std::map<std::string, cudaKernel_t> kernels_;
  std::vector<std::span<std::byte>> host_memory_;
  std::vector<std::unique_ptr<Branch>> branches_;
  Event begin_;
  Event end_;
  std::vector<std::unique_ptr<at::cuda::CUDAGraph>> graphs_;
  std::vector<std::weak_ptr<NcclConnection>> connections_;
};

// Equal bits at every number of GPUs: the same methods for the same shapes, and sums in
// one order.
void choose_reproducible_methods() {
  // cuBLAS reads it at its start: one workspace a stream, so that streams side by side do
  // not change what it does.
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
  at::Context& context = at::globalContext();
  context.setDeterministicCuDNN(true);
  context.setBenchmarkCuDNN(false);
  context.setAllowTF32CuDNN(false);
  context.setAllowTF32CuBLAS(false);
}

}  // namespace

std::unique_ptr<Accelerator> open_cuda_accelerator(int index) {
  choose_reproducible_methods();
  at::globalContext().lazyInitDevice(at::kCUDA);
  c10::cuda::set_device(static_cast<c10::DeviceIndex>(index));
  return std::make_unique<CudaAccelerator>(index);
}

}  // namespace lockstep
