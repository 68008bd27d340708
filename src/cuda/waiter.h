// The one place where the host waits for its GPU: with an eye on the ranks whose GPUs the
// queue waits for. Owned by the accelerator.
#pragma once

#include <cuda_runtime_api.h>

#include <vector>

namespace lockstep {

class NcclTransport;

class Waiter {
 public:
  explicit Waiter(int device);
  ~Waiter();
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // As Accelerator::wait.
  void wait();

  // Transports that are open; they add and remove themselves.
  void add(NcclTransport& transport) { transports_.push_back(&transport); }
  void remove(const NcclTransport& transport) { std::erase(transports_, &transport); }

 private:
  bool is_done() const;

  int device_;
  cudaEvent_t event_ = nullptr;
  std::vector<NcclTransport*> transports_;
};

}  // namespace lockstep
