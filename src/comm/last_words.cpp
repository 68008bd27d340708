#include "lockstep/comm/last_words.h"

#include <chrono>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

namespace lockstep {

namespace {

constexpr auto kPatience = std::chrono::seconds(2);

std::mutex mutex;
std::function<void(const std::string&)> prepared;

}  // namespace

void prepare_last_words(std::function<void(const std::string& reason)> say) {
  const std::lock_guard lock(mutex);
  prepared = std::move(say);
}

void say_last_words(const std::string& reason) {
  std::function<void(const std::string&)> say;
  {
    const std::lock_guard lock(mutex);
    say = std::exchange(prepared, nullptr);
  }
  if (say == nullptr) return;
  std::packaged_task<void()> task([say = std::move(say), reason] { say(reason); });
  const std::future<void> said = task.get_future();
  std::thread(std::move(task)).detach();
  said.wait_for(kPatience);
}

}  // namespace lockstep
