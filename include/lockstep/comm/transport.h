// The part of a communicator that sums over lanes are made with: moves buffers that
// both sides know the sizes of. A Communicator moves host memory; what an accelerator
// connects moves its own memory, in the order of its queue (see gpu/accelerator.h).
//
// Failures of the transport are Errors with exit code 4.
#pragma once

#include <cstddef>
#include <span>

namespace lockstep {

// One part of a grouped exchange: `data` goes to, or comes from, rank `peer`.
// Between two ranks parts are matched in the order in which they are listed.
struct Outgoing {
  int peer;
  std::span<const std::byte> data;
};
struct Incoming {
  int peer;
  std::span<std::byte> data;
};

// An exchange that is made once and carried out again and again, while its owner does other
// work. Destroyed when nothing of it is under way.
class StandingExchange {
 public:
  virtual ~StandingExchange() = default;
  // Local: begins to send and receive; the memory is left alone until is_done().
  virtual void start() = 0;
  // Local: moves on what can be moved now; whether all is done.
  virtual bool is_done() = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Local: this rank in [0, world_size), and how many there are.
  virtual int rank() const = 0;
  virtual int world_size() const = 0;

  // Among the ranks named: sends and receives all parts, and returns when all are
  // done; an accelerator's, when they are enqueued. Sizes are known on both sides.
  virtual void exchange(std::span<const Outgoing> out, std::span<const Incoming> in) = 0;

  // Collective: element-wise sum over ranks, in place, in whatever order the
  // transport likes: not reproducible across world sizes.
  virtual void native_sum(std::span<float> values) = 0;

  // Local, after a fault: ends what is under way without the peers, which do the same.
  // The transport is of no more use; recordings that it takes part in must be gone.
  virtual void abandon() noexcept {}
};

}  // namespace lockstep
