#include "cuda/feed.h"

#include <c10/cuda/CUDAStream.h>

#include <cstring>

#include "cuda/cuda_error.h"

namespace lockstep {

CudaFeed::CudaFeed(int device, std::byte* memory, std::size_t place_bytes, int places)
    : device_(device),
      memory_(memory),
      place_bytes_(place_bytes),
      places_(static_cast<std::size_t>(places)) {
  try {
    const std::size_t bytes = place_bytes_ * places_.size();
    check(cudaHostAlloc(&host_, bytes, cudaHostAllocDefault), "cudaHostAlloc");
    std::memset(host_, 0, bytes);
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
    for (Place& each : places_) {
      for (cudaEvent_t* event : {&each.sent, &each.used}) {
        // Who waits for one gives the core away: the thread that fills has time.
        check(cudaEventCreateWithFlags(event, cudaEventDisableTiming | cudaEventBlockingSync),
              "cudaEventCreate");
      }
    }
  } catch (...) {
    free_all();
    throw;
  }
}

CudaFeed::~CudaFeed() { free_all(); }

void CudaFeed::free_all() {
  if (stream_ != nullptr) {
    cudaStreamSynchronize(stream_);
    cudaStreamDestroy(stream_);
  }
  for (const Place& each : places_) {
    for (const cudaEvent_t event : {each.sent, each.used}) {
      if (event != nullptr) cudaEventDestroy(event);
    }
  }
  if (host_ != nullptr) cudaFreeHost(host_);
}

std::span<std::byte> CudaFeed::host(int place) {
  return {static_cast<std::byte*>(host_) + offset(place), place_bytes_};
}

// The device is each thread's own setting, and the thread that fills is not the accelerator's; on
// another device it would begin a context.
void CudaFeed::take_device() const { check(cudaSetDevice(device_), "cudaSetDevice"); }

void CudaFeed::send(int place) {
  take_device();
  check(cudaStreamWaitEvent(stream_, at(place).used, 0), "cudaStreamWaitEvent");
  check(cudaMemcpyAsync(memory_ + offset(place), host(place).data(), place_bytes_,
                        cudaMemcpyHostToDevice, stream_),
        "cudaMemcpyAsync");
  check(cudaEventRecord(at(place).sent, stream_), "cudaEventRecord");
}

void CudaFeed::await_sent(int place) {
  take_device();
  check(cudaEventSynchronize(at(place).sent), "copying rows to the GPU");
}

void CudaFeed::begin_use(int place) {
  const cudaStream_t stream =
      c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device_)).stream();
  check(cudaStreamWaitEvent(stream, at(place).sent, 0), "cudaStreamWaitEvent");
}

void CudaFeed::end_use(int place) {
  const cudaStream_t stream =
      c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device_)).stream();
  check(cudaEventRecord(at(place).used, stream), "cudaEventRecord");
}

}  // namespace lockstep
