#include "cuda/gpu_transport.h"

#include <c10/cuda/CUDAStream.h>

#include "cuda/check.h"

namespace lockstep {

namespace {

cudaStream_t current_stream() { return c10::cuda::getCurrentCUDAStream().stream(); }

class OneGpu final : public Transport {
 public:
  int rank() const override { return 0; }
  int world_size() const override { return 1; }

  void exchange(std::span<const Outgoing> out, std::span<const Incoming> in) override {
    if (out.size() != in.size()) {
      fail_internal("exchange with oneself: {} parts out, {} in", out.size(), in.size());
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
      check_cuda(cudaMemcpyAsync(in[i].data.data(), out[i].data.data(), out[i].data.size(),
                                 cudaMemcpyDeviceToDevice, current_stream()),
                 "a copy on the GPU");
    }
  }

  void native_sum(std::span<float> /*values*/) override {}
};

class NcclTransport final : public Transport {
 public:
  NcclTransport(std::shared_ptr<NcclConnection> connection, int rank, int world_size)
      : connection_(std::move(connection)), rank_(rank), world_size_(world_size) {}

  int rank() const override { return rank_; }
  int world_size() const override { return world_size_; }

  void exchange(std::span<const Outgoing> out, std::span<const Incoming> in) override {
    constexpr const char* kOperation = "an exchange between GPUs";
    Nccl::Comm comm = connection_->get();
    connection_->check(nccl().group_start(), kOperation);
    for (const Outgoing& each : out) {
      nccl().send(each.data.data(), each.data.size(), Nccl::kBytes, each.peer, comm,
                  current_stream());
    }
    for (const Incoming& each : in) {
      nccl().receive(each.data.data(), each.data.size(), Nccl::kBytes, each.peer, comm,
                     current_stream());
    }
    // What one of the calls found wrong, the end of the group says.
    connection_->check(nccl().group_end(), kOperation);
  }

  void native_sum(std::span<float> values) override {
    connection_->check(nccl().all_reduce(values.data(), values.data(), values.size(), Nccl::kFloats,
                                         Nccl::kSum, connection_->get(), current_stream()),
                       "a sum over GPUs");
  }

 private:
  std::shared_ptr<NcclConnection> connection_;
  int rank_;
  int world_size_;
};

}  // namespace

std::unique_ptr<Transport> make_gpu_transport(std::shared_ptr<NcclConnection> connection,
                                              const Communicator& comm) {
  if (connection == nullptr) return std::make_unique<OneGpu>();
  return std::make_unique<NcclTransport>(std::move(connection), comm.rank(), comm.world_size());
}

}  // namespace lockstep
