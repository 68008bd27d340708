// This rank's end of an NCCL communicator. Shared by the transport that uses it and the
// accelerator that watches over it; used by the rank's main thread alone.
#pragma once

#include "cuda/nccl.h"
#include "lockstep/comm/communicator.h"

namespace lockstep {

class NcclConnection {
 public:
  // Collective. Errors: 2 (agreed) when ranks have different versions or one older than
  // 2.18, 4 (agreed) when they do not find each other within the watchdog's hard limit.
  explicit NcclConnection(Communicator& comm);
  ~NcclConnection();
  NcclConnection(const NcclConnection&) = delete;
  NcclConnection& operator=(const NcclConnection&) = delete;

  Nccl::Comm get() const { return comm_; }

  // Local: throws Error (4) and gives the connection up when an operation has failed, here
  // or at a peer.
  void check();
  // The status of a call on it: waits while it is in progress, then the same.
  void check(int status, const char* operation);

 private:
  [[noreturn]] void fail(int status, const char* operation);
  void wait_until_ready(const char* operation, double limit_seconds);

  Nccl::Comm comm_ = nullptr;
};

}  // namespace lockstep
