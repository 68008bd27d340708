// A GPU as the training step sees it: kernels, branches of work side by side, recordings
// that are replayed as one, and a transport between the ranks' GPUs. Everything else,
// tensors and convolutions, is LibTorch's, on the device that index() names.
//
// Work is enqueued and done in order; the host waits for it in wait() alone. One
// object a rank, used by its main thread alone, owned by `app`. The implementation for
// NVIDIA's GPUs is a library of its own (src/cuda), loaded where a GPU is used; tests
// have one that computes on the host at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "lockstep/comm/communicator.h"
#include "lockstep/comm/transport.h"
#include "lockstep/model/options.h"

namespace lockstep {

// The index of memory of the host, for tests.
inline constexpr int kHostIndex = -1;

// Blocks of threads that run a kernel.
struct Grid {
  unsigned blocks_x = 1;
  unsigned blocks_y = 1;
  unsigned threads = 1;  // of a block
};

// A function of src/gpu/kernels, with its arguments as one plain struct.
struct KernelCall {
  const char* name;
  Grid grid;
  const void* arguments;
};

// Work that was enqueued once, and is enqueued again as one. What it uses, a transport
// too, must outlive it.
class Recording {
 public:
  virtual ~Recording() = default;
  virtual void replay() = 0;
};

// Memory of the device that a thread of the host's fills while work goes on, in places that take
// turns, each with as much page-locked memory of the host. Made by the main thread; it must be
// destroyed before the accelerator.
class Feed {
 public:
  virtual ~Feed() = default;

  // By the thread that fills. The host's memory of a place, zeroed at first, left alone between
  // send() and await_sent().
  virtual std::span<std::byte> host(int place) = 0;
  // Enqueues the copy to the device; it begins after the work that has last used the place.
  virtual void send(int place) = 0;
  // Returns when the copy is done that was last enqueued for the place.
  virtual void await_sent(int place) = 0;

  // By the main thread, around what it enqueues: it runs after the copy that was last enqueued for
  // the place, and before those that are enqueued after end_use().
  virtual void begin_use(int place) = 0;
  virtual void end_use(int place) = 0;
};

class Accelerator {
 public:
  virtual ~Accelerator() = default;

  // The model, as "NVIDIA H100 80GB HBM3": GPUs of one name give the same bits.
  virtual const std::string& name() const = 0;
  // Of the device in LibTorch, or kHostIndex.
  virtual int index() const = 0;

  // Makes the kernels for activations of that precision ready; before launch(). Error
  // (1) where they do not compile.
  virtual void load_kernels(Precision precision) = 0;

  // Enqueues a kernel on the branch under way.
  virtual void launch(const KernelCall& call) = 0;

  // Enqueue copies; `host` must be memory of host_memory(), left alone until the copy is
  // done.
  virtual void copy_to_device(void* device, const void* host, std::size_t bytes) = 0;
  virtual void copy_to_host(void* host, const void* device, std::size_t bytes) = 0;

  // Page-locked memory of the host, zeroed, as long as the accelerator lives.
  virtual std::span<std::byte> host_memory(std::size_t bytes) = 0;

  // Bytes of the device's memory that are free now.
  virtual std::uint64_t free_memory() const = 0;

  // Of `device`, memory of the device that outlives it: `places` of `place_bytes` each.
  virtual std::unique_ptr<Feed> make_feed(std::byte* device, std::size_t place_bytes,
                                          int places) = 0;

  // Calls work(0) ... work(count - 1); what each enqueues runs after what was enqueued
  // before, side by side with the others', and before what is enqueued after.
  virtual void fork(int count, const std::function<void(int branch)>& work) = 0;

  // Calls `work` and keeps what it enqueues, without running it. Tensors that `work` makes
  // stay the recording's. Recordings are replayed one after the other.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& work) = 0;

  // Returns when all that was enqueued is done. Error (4) when a peer met a fault
  // (look_for_fault()), or its GPU failed; how long peers may take is the watchdogs' to
  // judge: callers tell them (begin_wait()).
  virtual void wait() = 0;

  // Collective: what moves memory of this device between the ranks' devices. It must be
  // destroyed before the accelerator, on all ranks.
  virtual std::unique_ptr<Transport> connect(Communicator& comm) = 0;
};

}  // namespace lockstep
