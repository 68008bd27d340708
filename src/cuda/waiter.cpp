#include "cuda/waiter.h"

#include <c10/cuda/CUDAStream.h>

#include <chrono>
#include <thread>

#include "cuda/cuda_error.h"
#include "cuda/nccl_transport.h"

namespace lockstep {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kSpin = std::chrono::microseconds(200);  // then others may have the core
constexpr auto kLookPeriod = std::chrono::milliseconds(1);

}  // namespace

Waiter::Waiter(int device) : device_(device) {
  check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreate");
}

Waiter::~Waiter() { cudaEventDestroy(event_); }

bool Waiter::is_done() const {
  const cudaError_t status = cudaEventQuery(event_);
  if (status == cudaErrorNotReady) {
    cudaGetLastError();
    return false;
  }
  check(status, "work on the GPU");
  return true;
}

void Waiter::wait() {
  const cudaStream_t stream =
      c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device_)).stream();
  check(cudaEventRecord(event_, stream), "cudaEventRecord");
  const Clock::time_point begun = Clock::now();
  Clock::time_point next_look = begun + kLookPeriod;
  while (!is_done()) {
    const Clock::time_point now = Clock::now();
    if (now - begun > kSpin) std::this_thread::yield();
    if (now < next_look) continue;
    next_look = now + kLookPeriod;
    for (NcclTransport* transport : transports_) transport->look();
  }
}

}  // namespace lockstep
