#include "lockstep/core/workers.h"

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "lockstep/core/error.h"

namespace lockstep {

struct Workers::State {
  std::mutex mutex;
  std::condition_variable begin;
  std::condition_variable end;
  const std::function<void(int)>* work = nullptr;
  std::uint64_t turn = 0;  // grows by one with each run()
  int running = 0;
  bool closing = false;
  std::vector<std::exception_ptr> errors;  // by worker
  std::vector<std::thread> threads;

  void perform(int worker, const std::function<void(int)>& job) {
    try {
      job(worker);
    } catch (...) {
      errors[static_cast<std::size_t>(worker)] = std::current_exception();
    }
  }

  void close() {
    {
      const std::lock_guard lock(mutex);
      closing = true;
    }
    begin.notify_all();
    for (std::thread& thread : threads) thread.join();
    threads.clear();
  }

  void serve(int worker, const std::function<void()>& prepare) {
    prepare();
    std::uint64_t seen = 0;
    for (;;) {
      std::unique_lock lock(mutex);
      begin.wait(lock, [&] { return closing || turn != seen; });
      if (closing) return;
      seen = turn;
      const auto* job = work;
      lock.unlock();
      perform(worker, *job);
      lock.lock();
      if (--running == 0) end.notify_one();
    }
  }
};

Workers::Workers(int count, const std::function<void()>& prepare)
    : state_(std::make_unique<State>()) {
  state_->errors.resize(static_cast<std::size_t>(count));
  prepare();
  try {
    for (int worker = 1; worker < count; ++worker) {
      state_->threads.emplace_back(
          [state = state_.get(), worker, prepare] { state->serve(worker, prepare); });
    }
  } catch (const std::system_error& error) {
    const std::size_t started = state_->threads.size() + 1;
    state_->close();
    fail_usage("{} worker threads were asked for, but only {} could be started ({}); give fewer",
               count, started, error.code().message());
  }
}

Workers::~Workers() { state_->close(); }

int Workers::count() const { return static_cast<int>(state_->errors.size()); }

void Workers::run(const std::function<void(int)>& work) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->work = &work;
    state_->running = count() - 1;
    ++state_->turn;
  }
  state_->begin.notify_all();
  state_->perform(0, work);
  std::unique_lock lock(state_->mutex);
  state_->end.wait(lock, [&] { return state_->running == 0; });
  for (std::exception_ptr& error : state_->errors) {
    if (error == nullptr) continue;
    const std::exception_ptr first = error;
    for (std::exception_ptr& each : state_->errors) each = nullptr;
    std::rethrow_exception(first);
  }
}

}  // namespace lockstep
