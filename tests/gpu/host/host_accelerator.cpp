#include "gpu/host/host_accelerator.h"

#include <cstring>
#include <limits>
#include <vector>

#include "gpu/host/host_kernels.h"

namespace lockstep {

namespace {

// Moves the host's memory by the communicator itself.
class HostTransport final : public Transport {
 public:
  explicit HostTransport(Communicator& comm) : comm_(comm) {}
  int rank() const override { return comm_.rank(); }
  int world_size() const override { return comm_.world_size(); }
  void exchange(std::span<const Outgoing> out, std::span<const Incoming> in) override {
    comm_.exchange(out, in);
  }
  void native_sum(std::span<float> values) override { comm_.native_sum(values); }

 private:
  Communicator& comm_;
};

class HostRecording final : public Recording {
 public:
  explicit HostRecording(std::function<void()> work) : work_(std::move(work)) {}
  void replay() override { work_(); }

 private:
  std::function<void()> work_;
};

// Copies at once: who sends is told of a place only when the work that has read it is done.
class HostFeed final : public Feed {
 public:
  HostFeed(std::byte* device, std::size_t place_bytes, int places)
      : device_(device), place_bytes_(place_bytes) {
    for (int place = 0; place < places; ++place) host_.emplace_back(place_bytes);
  }
  std::span<std::byte> host(int place) override { return host_[static_cast<std::size_t>(place)]; }
  void send(int place) override {
    std::memcpy(device_ + static_cast<std::size_t>(place) * place_bytes_, host(place).data(),
                place_bytes_);
  }
  void await_sent(int /*place*/) override {}
  void begin_use(int /*place*/) override {}
  void end_use(int /*place*/) override {}

 private:
  std::byte* device_;
  std::size_t place_bytes_;
  std::vector<std::vector<std::byte>> host_;
};

class HostAccelerator final : public Accelerator {
 public:
  const std::string& name() const override { return name_; }
  int index() const override { return kHostIndex; }
  void load_kernels(Precision precision) override {
    kernels_ = precision == Precision::kBf16 ? &host_kernels_bf16() : &host_kernels_fp32();
  }
  void launch(const KernelCall& call) override {
    run_on_host(kernels_->at(call.name), call.grid, call.arguments);
  }
  void copy_to_device(void* device, const void* host, std::size_t bytes) override {
    std::memcpy(device, host, bytes);
  }
  void copy_to_host(void* host, const void* device, std::size_t bytes) override {
    std::memcpy(host, device, bytes);
  }
  std::span<std::byte> host_memory(std::size_t bytes) override {
    memory_.emplace_back(bytes);
    return memory_.back();
  }
  std::uint64_t free_memory() const override { return std::numeric_limits<std::uint64_t>::max(); }
  std::unique_ptr<Feed> make_feed(std::byte* device, std::size_t place_bytes, int places) override {
    return std::make_unique<HostFeed>(device, place_bytes, places);
  }
  void fork(int count, const std::function<void(int)>& work) override {
    for (int branch = 0; branch < count; ++branch) work(branch);
  }
  std::unique_ptr<Recording> record(const std::function<void()>& work) override {
    return std::make_unique<HostRecording>(work);
  }
  void wait() override {}
  std::unique_ptr<Transport> connect(Communicator& comm) override {
    return std::make_unique<HostTransport>(comm);
  }

 private:
  std::string name_ = "host";
  const std::map<std::string, HostKernel>* kernels_ = nullptr;
  std::vector<std::vector<std::byte>> memory_;
};

}  // namespace

std::unique_ptr<Accelerator> make_host_accelerator() { return std::make_unique<HostAccelerator>(); }

}  // namespace lockstep
