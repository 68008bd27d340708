// The rows of the steps to come, on their way into the device's memory: a thread of its own
// gathers those of one step after the other in page-locked memory, and has them copied beside the
// work of the steps before. It is ahead by as many steps as there are places.
//
// A place is filled again when the copy out of it is done (the host's memory), and copied to when
// the step that reads it is done (the device's). Used by the main thread, owned by the stepper.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>

#include "lockstep/gpu/accelerator.h"

namespace lockstep {

class RowStream {
 public:
  static constexpr int kPlaces = 2;

  // Writes the rows of a step; called on the thread. What it throws comes out of begin_step().
  using Gather = std::function<void(std::int64_t step, std::span<std::byte> to)>;

  // `feed` has kPlaces.
  RowStream(std::unique_ptr<Feed> feed, Gather gather);
  ~RowStream();
  RowStream(const RowStream&) = delete;
  RowStream& operator=(const RowStream&) = delete;

  // What is enqueued between the two may read the rows of `step`, in the place that is returned.
  // The steps after it are gathered next; another one than the next begins anew.
  int begin_step(std::int64_t step);
  void end_step();

 private:
  using Lock = std::unique_lock<std::mutex>;

  void begin_at(std::int64_t step, Lock& lock);
  void run();
  void fill(std::int64_t turn, std::int64_t step);
  static int place_of(std::int64_t turn) { return static_cast<int>(turn % kPlaces); }

  std::unique_ptr<Feed> feed_;
  Gather gather_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Turns count what was gathered, from 0; turn t is in place t % kPlaces.
  std::int64_t sent_ = 0;                     // turns whose copies are enqueued
  std::int64_t used_ = 0;                     // turns whose steps are enqueued
  std::int64_t next_step_ = -1;               // to be gathered; -1: none is known
  std::array<std::int64_t, kPlaces> step_{};  // by place
  bool fills_ = false;                        // the thread is at it
  bool ends_ = false;
  std::exception_ptr thrown_;
  std::thread thread_;
};

}  // namespace lockstep
