// What the hosts of a job tell each other, beside MPI and whatever its ranks do: that they are
// there, that somewhere the network carries something for the job, and that somewhere a rank has
// waited too long. By UDP: a datagram of 32 bytes now and then to at most 2 log2(hosts) others,
// which pass on what they heard, so that all hear of it (a gossip protocol on a hypercube). A
// network that lets none through leaves each host with what it sees itself.
#pragma once

#include <netinet/in.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lockstep {

// Where a host is found. Plain bytes, to be gathered.
struct HostCard {
  std::array<char, 64> host;               // its name, ends with a 0
  std::array<std::uint32_t, 8> addresses;  // IPv4, in the network's byte order; 0: none
  std::uint64_t key;                       // a datagram for it begins with that
  std::uint16_t port;                      // in the network's byte order; 0: cannot be reached
  bool speaks;                             // for its host; other ranks of it leave that to it
};

// Local, of one thread, but where said.
class HostGossip {
 public:
  using Clock = std::chrono::steady_clock;

  HostGossip();
  ~HostGossip();
  HostGossip(const HostGossip&) = delete;
  HostGossip& operator=(const HostGossip&) = delete;

  HostCard card() const;
  // The cards of all who speak, in the same order for all; this one's is at `place`. Tells the
  // others at once, so that one that stops right after it was heard.
  void meet(std::span<const HostCard> hosts, std::size_t place);

  // Something moves on this host.
  void tell_progress() { ++progress_; }
  // A number that grows when something moves on some host (a Lamport clock), and only then.
  std::uint64_t progress() const { return progress_; }
  // Whether a rank of this host has waited too long; that it does no longer is progress.
  void tell_whether_alarmed(bool alarmed);
  // One of some host has, and nothing has moved on any since.
  bool is_alarmed() const { return alarm_ == progress_ + 1; }
  // Hears what has come, and tells others when that was done `period` ago; of an alarm, and of
  // its end, at once.
  void exchange(Clock::time_point now, Clock::duration period);
  // A host that was heard once, and since then not for so long; "" where there is none.
  std::string silent_for(Clock::duration limit, Clock::time_point now) const;
  // Nothing could be heard for so long.
  void forget(Clock::duration stopped);

 private:
  struct Peer {
    HostCard card;
    std::size_t place;
    in_addr_t answers_from;  // 0: not heard yet
    Clock::time_point heard_at;
  };

  void hear(Clock::time_point now);
  void tell(Clock::time_point now, Clock::duration period);
  void send_to(const Peer& peer, in_addr_t address) const;

  int socket_ = -1;
  std::uint64_t key_;
  std::uint64_t progress_ = 0;
  std::uint64_t alarm_ = 0;  // of any host: what the progress was then, plus 1
  bool is_alarmed_here_ = false;
  std::size_t place_ = 0;
  std::vector<Peer> peers_;
  Clock::time_point told_at_;
  bool told_alarm_ = false;
};

}  // namespace lockstep
