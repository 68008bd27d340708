#include "cuda/cuda_accelerator.h"

#include <ATen/Context.h>
#include <c10/cuda/CUDACachingAllocator.h>

#include <cstdlib>
#include <cstring>

#include "cuda/cuda_error.h"
#include "cuda/feed.h"
#include "cuda/nccl_transport.h"

namespace lockstep {

namespace {

// Results must not depend on the time of day: of LibTorch's ways, those that sum in one
// order, and fp32 that is fp32. What its deterministic mode adds, such as filled memory,
// no operation that is used needs.
int take(int index) {
  // Read by cuBLAS at its start: a workspace for each stream, so that those side by side
  // do not change what it does.
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  check(cudaSetDevice(index), "cudaSetDevice");
  at::Context& context = at::globalContext();
  if (!at::Context::hasCUDA()) {
    fail_internal("LibTorch was asked for GPUs before libtorch_cuda.so was loaded");
  }
  context.lazyInitDevice(at::kCUDA);
  context.setDeterministicCuDNN(true);
  context.setBenchmarkCuDNN(false);
  context.setAllowTF32CuBLAS(false);
  context.setAllowTF32CuDNN(false);
  context.setAllowBF16ReductionCuBLAS(false);
  return index;
}

std::string name_of(int index) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
  return properties.name;
}

}  // namespace

CudaAccelerator::CudaAccelerator(int index)
    : index_(take(index)),
      guard_(static_cast<c10::DeviceIndex>(index)),
      name_(name_of(index)),
      branches_(index),
      recorder_(index),
      waiter_(index) {}

CudaAccelerator::~CudaAccelerator() {
  for (void* memory : host_memory_) cudaFreeHost(memory);
}

cudaStream_t CudaAccelerator::stream() const {
  return c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(index_)).stream();
}

void CudaAccelerator::load_kernels(Precision precision) {
  current_kernels_ = &kernels_.try_emplace(precision, index_, precision).first->second;
}

void CudaAccelerator::launch(const KernelCall& call) {
  if (current_kernels_ == nullptr) {
    fail_internal("kernel {} was launched before load_kernels", call.name);
  }
  current_kernels_->launch(call, stream());
}

void CudaAccelerator::copy_to_device(void* device, const void* host, std::size_t bytes) {
  check(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream()), "cudaMemcpyAsync");
}

void CudaAccelerator::copy_to_host(void* host, const void* device, std::size_t bytes) {
  check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream()), "cudaMemcpyAsync");
}

std::span<std::byte> CudaAccelerator::host_memory(std::size_t bytes) {
  void* memory = nullptr;
  check(cudaHostAlloc(&memory, bytes, cudaHostAllocDefault), "cudaHostAlloc");
  host_memory_.push_back(memory);
  std::memset(memory, 0, bytes);
  return {static_cast<std::byte*>(memory), bytes};
}

std::uint64_t CudaAccelerator::free_memory() const {
  c10::cuda::CUDACachingAllocator::emptyCache();  // what it has freed and keeps is free too
  std::size_t free = 0;
  std::size_t total = 0;
  check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  return free;
}

std::unique_ptr<Feed> CudaAccelerator::make_feed(std::byte* device, std::size_t place_bytes,
                                                 int places) {
  return std::make_unique<CudaFeed>(index_, device, place_bytes, places);
}

void CudaAccelerator::fork(int count, const std::function<void(int)>& work) {
  branches_.fork(count, work);
}

std::unique_ptr<Recording> CudaAccelerator::record(const std::function<void()>& work) {
  return recorder_.record(work);
}

void CudaAccelerator::wait() { waiter_.wait(); }

std::unique_ptr<Transport> CudaAccelerator::connect(Communicator& comm) {
  return std::make_unique<NcclTransport>(comm, index_, waiter_);
}

}  // namespace lockstep
