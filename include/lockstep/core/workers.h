// The worker threads of a rank. Worker 0 is the thread that calls run(), so a
// rank with one worker starts no thread.
#pragma once

#include <functional>
#include <memory>

namespace lockstep {

class Workers {
 public:
  // Starts `count` - 1 threads. `prepare` runs once on each worker, the calling
  // thread included (thread-local settings of libraries).
  Workers(int count, const std::function<void()>& prepare);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  int count() const;

  // Runs work(worker) on every worker, worker in [0, count), and returns when all
  // are done. When some throw, rethrows the exception of the lowest worker.
  void run(const std::function<void(int worker)>& work);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lockstep
