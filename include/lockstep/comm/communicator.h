// Moves buffers between ranks. The only interface through which the other rooms
// talk to peers; behind it is one process alone (Self) or MPI.
//
// Owned by main and lent to the rooms; called by a rank's main thread only.
// Every function marked `Collective:` must be called by all ranks in the same
// order. Failures of the transport are Errors with exit code 4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "lockstep/comm/transport.h"
#include "lockstep/core/error.h"

namespace lockstep {

// Memory that ranks of a node share. Destroying it is local: the memory lives until the last
// rank lets go of it.
class SharedWindow {
 public:
  virtual ~SharedWindow() = default;
  // The part that the rank at `place` of sharing_ranks() gave; at least 64-byte aligned.
  virtual std::span<std::byte> part(int place) const = 0;
};

// In place of a rank: all of them, each for itself.
inline constexpr int kEachRank = -1;

inline constexpr int kMostTags = 16384;

class Communicator : public Transport {
 public:
  // Local: this rank's place among the ranks of its node, and how many those are.
  virtual int node_place() const = 0;
  virtual int node_size() const = 0;
  // Local: the ranks, ascending, that this one can share memory with: those of its node, or
  // itself alone where they cannot reach each other's.
  virtual const std::vector<int>& sharing_ranks() const = 0;

  // Collective: returns when every rank has called it.
  virtual void barrier() = 0;

  // Collective: `data` of `root` to all; equal sizes.
  virtual void broadcast(std::span<std::byte> data, int root) = 0;

  // Collective: each rank's `mine`, of one size everywhere, in rank order into
  // `all` (world_size times that size).
  virtual void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) = 0;

  // Collective: to_peers[r] goes to rank r; returns what each rank sent here, by
  // rank. Sizes are arbitrary and need not be known to the receiver; each part
  // may exceed 2 GiB.
  virtual std::vector<std::vector<std::byte>> all_to_all(
      std::vector<std::vector<std::byte>> to_peers) = 0;

  // Local: an exchange() of those parts, by all ranks named. Between two ranks parts are
  // matched in the order in which they are started, of one `tag` in [0, kMostTags) each.
  virtual std::unique_ptr<StandingExchange> prepare(std::span<const Outgoing> out,
                                                    std::span<const Incoming> in, int tag) = 0;

  // Collective: element-wise sum over ranks, in place; exact.
  virtual void sum(std::span<std::int64_t> values) = 0;

  // Collective: memory of sharing_ranks(), `bytes` from each of them (may differ by rank),
  // zeroed.
  virtual std::unique_ptr<SharedWindow> share(std::size_t bytes) = 0;

  // Local: tells the watchdogs of the node that the main thread begins, or ends, to
  // wait for other ranks in `operation` (a literal). The collectives above do so
  // themselves; others that wait for peers by other means call it.
  virtual void begin_wait(const char* /*operation*/) {}
  virtual void end_wait() {}

  // Local: before its next collective `rank`, or kEachRank, does work of its own that may
  // take long. Every rank says so, the ones that then wait for it too: they have more
  // patience with their next collective, but not for ever.
  virtual void begin_long_work(const char* /*operation*/, int /*rank*/) {}

  // Where ranks wait for each other by other means than the calls above, as GPUs do: one
  // that meets a fault there calls agree_on_fault(); the others call look_for_fault() now
  // and then while they wait, and agree_on_fault() with what it throws.
  //
  // Local: throws Error (4) where a peer met a fault.
  virtual void look_for_fault() {}
  // Collective: the first_error() of the ranks that met a fault themselves. Where a rank
  // does not come within 5 s, on each rank `mine`; then the job has to be ended by force.
  virtual Error agree_on_fault(const Error& mine) { return mine; }

  // Local, any thread: ends the job at once on all ranks, with this exit status.
  [[noreturn]] virtual void abort(int status) = 0;
};

// Collective: MPI where this process was started by mpirun or srun, or one
// process alone. Throws Error (2) where srun started ranks without PMIx.
std::unique_ptr<Communicator> connect();

// A world of one, without MPI.
std::unique_ptr<Communicator> connect_self();

// --- Conveniences over the interface; collective like what they call ---

// Each rank's text, by rank.
std::vector<std::string> gather_texts(Communicator& comm, const std::string& mine);

// `text` of `root` on every rank.
std::string broadcast_text(Communicator& comm, const std::string& text, int root);

// Texts by name of `root`, on every rank.
std::map<std::string, std::string> share_texts(Communicator& comm,
                                               const std::map<std::string, std::string>& texts,
                                               int root = 0);

// The sum of `value` over the ranks before this one (0 on rank 0).
std::int64_t exclusive_scan(Communicator& comm, std::int64_t value);

// The same for each element.
std::vector<std::int64_t> exclusive_scan(Communicator& comm, std::span<const std::int64_t> values);

// `mine` of the lowest rank that has one, agreed; what failed by a peer (exit code 4)
// only where nothing else did.
std::optional<Error> first_error(Communicator& comm, const std::optional<Error>& mine);

// Runs `work`, which may throw an Error on any of the ranks but must not call
// `comm`. When one throws, all throw the first_error().
void agree(Communicator& comm, const std::function<void()>& work);

template <typename T>
T broadcast_value(Communicator& comm, T value, int root) {
  static_assert(std::is_trivially_copyable_v<T>);
  comm.broadcast(std::as_writable_bytes(std::span(&value, 1)), root);
  return value;
}

template <typename T>
std::vector<T> gather_values(Communicator& comm, const T& mine) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::vector<T> all(static_cast<std::size_t>(comm.world_size()));
  comm.all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)));
  return all;
}

}  // namespace lockstep
