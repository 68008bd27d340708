// Keeps a run folder for one job: an exclusive advisory lock (flock) on the file
// `lock` in it, which says who holds it. The lock ends with the process, however that
// ends; the file stays. Over NFS it works between hosts where the server keeps locks;
// on a file system without locks a warning says that nothing is kept.
//
// Owned by run_train, used on rank 0. Local.
#pragma once

#include <filesystem>

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
  int file_ = -1;  // its descriptor
};

}  // namespace lockstep
