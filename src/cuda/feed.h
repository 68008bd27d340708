// Copies to one GPU beside its work, on a stream of their own; see gpu/accelerator.h.
#pragma once

#include <cuda_runtime_api.h>

#include <vector>

#include "lockstep/gpu/accelerator.h"

namespace lockstep {

class CudaFeed final : public Feed {
 public:
  CudaFeed(int device, std::byte* memory, std::size_t place_bytes, int places);
  ~CudaFeed() override;
  CudaFeed(const CudaFeed&) = delete;
  CudaFeed& operator=(const CudaFeed&) = delete;

  std::span<std::byte> host(int place) override;
  void send(int place) override;
  void await_sent(int place) override;
  void begin_use(int place) override;
  void end_use(int place) override;

 private:
  // The events of one place; one that was not yet recorded holds nobody up.
  struct Place {
    cudaEvent_t sent = nullptr;
    cudaEvent_t used = nullptr;
  };

  void take_device() const;
  void free_all();
  const Place& at(int place) const { return places_[static_cast<std::size_t>(place)]; }
  std::size_t offset(int place) const { return static_cast<std::size_t>(place) * place_bytes_; }

  int device_;
  std::byte* memory_;
  std::size_t place_bytes_;
  void* host_ = nullptr;
  cudaStream_t stream_ = nullptr;
  std::vector<Place> places_;
};

}  // namespace lockstep
