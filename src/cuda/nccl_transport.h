// The transport between the ranks' GPUs: NCCL, or copies on the GPU in a world of one,
// where NCCL is not loaded. Made by the accelerator, owned by who connects; used by the
// rank's main thread alone.
//
// Failures are Errors with exit code 4; what is left after one is abandon().
#pragma once

#include <string>

#include "cuda/nccl_api.h"
#include "cuda/patience.h"
#include "cuda/waiter.h"
#include "lockstep/comm/communicator.h"

namespace lockstep {

class NcclTransport final : public Transport {
 public:
  // Collective. The references must outlive it.
  NcclTransport(Communicator& comm, int device, Waiter& waiter);
  // Collective. Recordings that it takes part in must be gone: NCCL would wait for that.
  ~NcclTransport() override;
  NcclTransport(const NcclTransport&) = delete;
  NcclTransport& operator=(const NcclTransport&) = delete;

  int rank() const override { return rank_; }
  int world_size() const override { return world_size_; }
  void exchange(std::span<const Outgoing> out, std::span<const Incoming> in) override;
  void native_sum(std::span<float> values) override;
  void abandon() noexcept override;

  // Local: throws where NCCL, or a peer, has met a fault meanwhile.
  void look();

 private:
  using Deadline = std::chrono::steady_clock::time_point;

  void connect(const nccl::UniqueId& id);
  void send_and_receive(std::span<const Outgoing> out, std::span<const Incoming> in);
  void settle(nccl::Result result, const char* operation, Deadline deadline);
  [[noreturn]] void fail(const char* operation, nccl::Result result);
  void close();
  cudaStream_t stream() const;

  Communicator& comm_;
  int rank_;
  int world_size_;
  int device_;
  Waiter& waiter_;
  nccl::Comm nccl_ = nullptr;  // null in a world of one, and after a failure
};

}  // namespace lockstep
