// The ranks of one machine as if they were on several nodes.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "lockstep/comm/communicator.h"
#include "lockstep/core/error.h"

namespace lockstep {

class PretendedNodes final : public Communicator {
 public:
  // Rank r is on node node_of(r). `comm` outlives it.
  PretendedNodes(Communicator& comm, const std::function<int(int rank)>& node_of) : comm_(comm) {
    for (int rank = 0; rank < comm.world_size(); ++rank) {
      if (node_of(rank) == node_of(comm.rank())) ranks_.push_back(rank);
    }
  }

  int rank() const override { return comm_.rank(); }
  int world_size() const override { return comm_.world_size(); }
  int node_place() const override {
    return static_cast<int>(std::find(ranks_.begin(), ranks_.end(), rank()) - ranks_.begin());
  }
  int node_size() const override { return static_cast<int>(ranks_.size()); }
  const std::vector<int>& sharing_ranks() const override { return ranks_; }
  void barrier() override { comm_.barrier(); }
  void broadcast(std::span<std::byte> data, int root) override { comm_.broadcast(data, root); }
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) override {
    comm_.all_gather(mine, all);
  }
  std::vector<std::vector<std::byte>> all_to_all(
      std::vector<std::vector<std::byte>> to_peers) override {
    return comm_.all_to_all(std::move(to_peers));
  }
  void exchange(std::span<const Outgoing> out, std::span<const Incoming> in) override {
    comm_.exchange(out, in);
  }
  std::unique_ptr<StandingExchange> prepare(std::span<const Outgoing> out,
                                            std::span<const Incoming> in, int tag) override {
    if (fails_) return std::make_unique<FailingExchange>();
    messages_ += static_cast<int>(out.size());
    for (const Outgoing& each : out) bytes_ += each.data.size();
    return comm_.prepare(out, in, tag);
  }
  void native_sum(std::span<float> values) override { comm_.native_sum(values); }
  void sum(std::span<std::int64_t> values) override { comm_.sum(values); }
  std::unique_ptr<SharedWindow> share(std::size_t bytes) override {
    return std::make_unique<Window>(comm_.share(bytes), ranks_, comm_.sharing_ranks());
  }
  [[noreturn]] void abort(int status) override {
    comm_.abort(status);
    std::abort();
  }

  // Those prepared from now on fail.
  void fail_exchanges() { fails_ = true; }

  // Of the exchanges prepared so far: what this rank sends each time.
  int messages() const { return messages_; }
  std::size_t bytes() const { return bytes_; }

 private:
  class FailingExchange final : public StandingExchange {
   public:
    void start() override {}
    bool is_done() override { throw Error(ExitCode::kPeer, "an exchange failed"); }
  };

  class Window final : public SharedWindow {
   public:
    Window(std::unique_ptr<SharedWindow> all, const std::vector<int>& ranks,
           const std::vector<int>& of_machine)
        : all_(std::move(all)) {
      for (const int rank : ranks) {
        const auto found = std::find(of_machine.begin(), of_machine.end(), rank);
        places_.push_back(static_cast<int>(found - of_machine.begin()));
      }
    }
    std::span<std::byte> part(int place) const override {
      return all_->part(places_[static_cast<std::size_t>(place)]);
    }

   private:
    std::unique_ptr<SharedWindow> all_;
    std::vector<int> places_;
  };

  Communicator& comm_;
  std::vector<int> ranks_;
  bool fails_ = false;
  int messages_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace lockstep
