#include "lockstep/checkpoint/checkpoint_writer.h"

#include <spdlog/spdlog.h>

#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "lockstep/checkpoint/checkpoint_store.h"

namespace lockstep {

namespace {

struct Job {
  std::int64_t step;
  CheckpointFiles files;
  AsBest best;
};

}  // namespace

struct CheckpointWriter::State {
  CheckpointStore store;
  int keep_last;
  Medium medium;
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Job> job;  // waiting or being written
  bool closing = false;
  bool failed = false;              // the last write
  std::optional<Job> unsaved_best;  // of the thread: its write failed
  std::thread thread;

  void serve() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return job.has_value() || closing; });
      if (!job) return;
      lock.unlock();
      const bool written = write_with_best(std::move(*job));
      lock.lock();
      failed = !written;
      job.reset();
      changed.notify_all();
    }
  }

  // No later checkpoint can stand in for the best one, so it is tried again; not after
  // the training went back to before it.
  bool write_with_best(Job each) {
    const bool obsolete = unsaved_best && unsaved_best->step >= each.step;
    if (each.best == AsBest::kYes || obsolete) unsaved_best.reset();
    if (unsaved_best && !write(*unsaved_best)) return false;
    unsaved_best.reset();
    const bool written = write(each);
    if (!written && each.best == AsBest::kYes) unsaved_best = std::move(each);
    return written;
  }

  bool write(const Job& each) const {
    try {
      store.save(each.step, each.files, keep_last);
    } catch (const std::exception& error) {
      spdlog::warn("the checkpoint of step {} was not written{}; training goes on: {}", each.step,
                   medium == Medium::kMemory ? " to this host's memory" : "", error.what());
      return false;
    }
    if (medium == Medium::kDisk) spdlog::info("checkpoint of step {} written", each.step);
    if (each.best == AsBest::kYes) link_best(each.step);
    return true;
  }

  // A file system may have no links; the run's state knows the best step too.
  void link_best(std::int64_t step) const {
    try {
      store.set_best(step);
    } catch (const std::exception& error) {
      spdlog::warn("step {} is the best so far, but its link was not made: {}", step, error.what());
    }
  }
};

CheckpointWriter::CheckpointWriter(const std::filesystem::path& run_dir, int keep_last,
                                   Medium medium)
    : state_(new State{
          CheckpointStore(run_dir), keep_last, medium, {}, {}, {}, false, false, {}, {}}) {
  state_->thread = std::thread([state = state_.get()] { state->serve(); });
}

CheckpointWriter::~CheckpointWriter() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->closing = true;
  }
  state_->changed.notify_all();
  state_->thread.join();
}

void CheckpointWriter::submit(std::int64_t step, CheckpointFiles files, AsBest best) {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [&] { return !state_->job.has_value(); });
  state_->job = Job{step, std::move(files), best};
  state_->changed.notify_all();
}

bool CheckpointWriter::finish() {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [&] { return !state_->job.has_value(); });
  return !state_->failed;
}

}  // namespace lockstep
