// A world of one rank: every collective is a copy or nothing.

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "lockstep/comm/communicator.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

constexpr std::size_t kCacheLineBytes = 64;

class OwnMemory final : public SharedWindow {
 public:
  explicit OwnMemory(std::size_t bytes)
      : bytes_(bytes), storage_(bytes + kCacheLineBytes, std::byte{0}) {}

  std::span<std::byte> part(int /*place*/) const override {
    void* start = storage_.data();
    std::size_t room = storage_.size();
    std::align(kCacheLineBytes, bytes_, start, room);
    return {static_cast<std::byte*>(start), bytes_};
  }

 private:
  std::size_t bytes_;
  mutable std::vector<std::byte> storage_;
};

// Of one rank with itself: nothing.
class NoExchange final : public StandingExchange {
 public:
  void start() override {}
  bool is_done() override { return true; }
};

class SelfCommunicator final : public Communicator {
 public:
  int rank() const override { return 0; }
  int world_size() const override { return 1; }
  int node_place() const override { return 0; }
  int node_size() const override { return 1; }
  const std::vector<int>& sharing_ranks() const override { return ranks_; }
  void barrier() override {}
  void broadcast(std::span<std::byte> /*data*/, int /*root*/) override {}

  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) override {
    std::copy(mine.begin(), mine.end(), all.begin());
  }

  std::vector<std::vector<std::byte>> all_to_all(
      std::vector<std::vector<std::byte>> to_peers) override {
    return to_peers;
  }

  void exchange(std::span<const Outgoing> out, std::span<const Incoming> in) override {
    if (out.size() != in.size()) {
      fail_internal("exchange with oneself: {} parts out, {} in", out.size(), in.size());
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
      std::copy(out[i].data.begin(), out[i].data.end(), in[i].data.begin());
    }
  }

  std::unique_ptr<StandingExchange> prepare(std::span<const Outgoing> out,
                                            std::span<const Incoming> in, int /*tag*/) override {
    if (!out.empty() || !in.empty()) fail_internal("a standing exchange of one rank");
    return std::make_unique<NoExchange>();
  }

  void native_sum(std::span<float> /*values*/) override {}
  void sum(std::span<std::int64_t> /*values*/) override {}

  std::unique_ptr<SharedWindow> share(std::size_t bytes) override {
    return std::make_unique<OwnMemory>(bytes);
  }

  [[noreturn]] void abort(int status) override { std::_Exit(status); }

 private:
  std::vector<int> ranks_ = {0};
};

}  // namespace

std::unique_ptr<Communicator> connect_self() { return std::make_unique<SelfCommunicator>(); }

}  // namespace lockstep
