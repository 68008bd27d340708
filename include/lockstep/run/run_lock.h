// Keeps a run folder for one job: an exclusive advisory lock (flock) on the file
// `lock` in it. The lock ends with the process, however that ends; the file stays.
//
// Some file systems have no locks, and some keep them for one host alone without a
// word. So the file also says who holds it, with a beat that its holder counts on
// while it lives: a start that finds another host's name there, or no locks, looks
// whether the beat goes on.
//
// Owned by run_train, used on rank 0. Local.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>

namespace lockstep {

class RunLock {
 public:
  RunLock() = default;
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  // Takes the lock of a folder, which is made where there is none; once taken it is
  // held, and asking again does nothing. Throws Error (2) when another job has it.
  void take(const std::filesystem::path& run_dir);

 private:
  void count_beats(const std::stop_token& stop);

  int file_ = -1;  // its descriptor
  std::string holder_;
  std::mutex mutex_;
  std::condition_variable_any stopped_;
  std::jthread beats_;
};

}  // namespace lockstep
