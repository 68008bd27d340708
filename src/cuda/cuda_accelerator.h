// One of NVIDIA's GPUs; see gpu/accelerator.h. It is the current device of the thread
// that makes it, as long as it lives.
#pragma once

#include <c10/cuda/CUDAGuard.h>

#include <map>
#include <vector>

#include "cuda/branches.h"
#include "cuda/kernels.h"
#include "cuda/recorder.h"
#include "cuda/waiter.h"
#include "lockstep/gpu/accelerator.h"

namespace lockstep {

class CudaAccelerator final : public Accelerator {
 public:
  explicit CudaAccelerator(int index);
  ~CudaAccelerator() override;

  const std::string& name() const override { return name_; }
  int index() const override { return index_; }
  void load_kernels(Precision precision) override;
  void launch(const KernelCall& call) override;
  void copy_to_device(void* device, const void* host, std::size_t bytes) override;
  void copy_to_host(void* host, const void* device, std::size_t bytes) override;
  std::span<std::byte> host_memory(std::size_t bytes) override;
  std::uint64_t free_memory() const override;
  std::unique_ptr<Feed> make_feed(std::byte* device, std::size_t place_bytes, int places) override;
  void fork(int count, const std::function<void(int branch)>& work) override;
  std::unique_ptr<Recording> record(const std::function<void()>& work) override;
  void wait() override;
  std::unique_ptr<Transport> connect(Communicator& comm) override;

 private:
  cudaStream_t stream() const;

  int index_;
  c10::cuda::CUDAGuard guard_;
  std::string name_;
  std::vector<void*> host_memory_;
  std::map<Precision, Kernels> kernels_;
  Kernels* current_kernels_ = nullptr;
  Branches branches_;
  Recorder recorder_;
  Waiter waiter_;
};

}  // namespace lockstep
