#include "gpu/host/late_accelerator.h"

#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

#include "gpu/host/host_accelerator.h"

namespace lockstep {

namespace {

// The main thread's work, done in order when something waits for it.
class WorkQueue {
 public:
  void push(std::function<void()> work) { works_.push_back(std::move(work)); }

  void run() {
    if (std::exchange(runs_, true)) return;  // called by what is run
    while (!works_.empty()) {
      const std::function<void()> work = std::move(works_.front());
      works_.pop_front();
      work();
    }
    runs_ = false;
  }

 private:
  std::deque<std::function<void()>> works_;
  bool runs_ = false;
};

class LateFeed final : public Feed {
 public:
  LateFeed(WorkQueue& queue, CopyTime time, FeedFault fault, std::byte* device,
           std::size_t place_bytes, int places)
      : queue_(queue), time_(time), fault_(fault), device_(device), place_bytes_(place_bytes) {
    for (int place = 0; place < places; ++place) places_.emplace_back().host.resize(place_bytes);
  }

  std::span<std::byte> host(int place) override { return at(place).host; }

  void send(int place) override {
    const std::lock_guard lock(mutex_);
    const bool waits = fault_ != FeedFault::kSentBeforeUsed;
    copies_.push_back({place, waits ? at(place).uses_enqueued : 0});
    ++at(place).sends_enqueued;
    if (time_ == CopyTime::kSoon) make_ready_ones();
  }

  void await_sent(int place) override {
    if (fault_ == FeedFault::kFilledBeforeSent) return;
    std::unique_lock lock(mutex_);
    make_up_to(place, at(place).sends_enqueued, lock);
  }

  void begin_use(int place) override {
    if (fault_ == FeedFault::kUsedBeforeSent) return;
    const std::lock_guard lock(mutex_);
    queue_.push([this, place, count = at(place).sends_enqueued] {
      std::unique_lock waiting(mutex_);
      make_up_to(place, count, waiting);
    });
  }

  void end_use(int place) override {
    const std::lock_guard lock(mutex_);
    ++at(place).uses_enqueued;
    queue_.push([this, place] {
      const std::lock_guard ending(mutex_);
      ++at(place).uses_done;
      if (time_ == CopyTime::kSoon) make_ready_ones();
      used_.notify_all();
    });
  }

 private:
  struct Place {
    std::vector<std::byte> host;
    int sends_enqueued = 0;
    int sends_done = 0;
    int uses_enqueued = 0;
    int uses_done = 0;
  };
  struct Copy {
    int place;
    int uses_before;  // of the place
  };

  Place& at(int place) { return places_[static_cast<std::size_t>(place)]; }

  bool is_ready(const Copy& copy) { return at(copy.place).uses_done >= copy.uses_before; }

  void make_first() {
    const int place = copies_.front().place;
    copies_.pop_front();
    std::memcpy(device_ + static_cast<std::size_t>(place) * place_bytes_, at(place).host.data(),
                place_bytes_);
    ++at(place).sends_done;
  }

  void make_ready_ones() {
    while (!copies_.empty() && is_ready(copies_.front())) make_first();
  }

  // Copies are made in order; another thread may make some meanwhile.
  void make_up_to(int place, int count, std::unique_lock<std::mutex>& lock) {
    while (at(place).sends_done < count) {
      if (is_ready(copies_.front())) {
        make_first();
      } else {
        used_.wait(lock);
      }
    }
  }

  WorkQueue& queue_;
  CopyTime time_;
  FeedFault fault_;
  std::byte* device_;
  std::size_t place_bytes_;
  std::vector<Place> places_;
  std::mutex mutex_;
  std::condition_variable used_;
  std::deque<Copy> copies_;  // enqueued and not yet made
};

class LateRecording final : public Recording {
 public:
  LateRecording(WorkQueue& queue, std::function<void()> work)
      : queue_(queue), work_(std::move(work)) {}
  void replay() override { queue_.push(work_); }

 private:
  WorkQueue& queue_;
  std::function<void()> work_;
};

class LateAccelerator final : public Accelerator {
 public:
  LateAccelerator(CopyTime copies, FeedFault fault) : copies_(copies), fault_(fault) {}

  const std::string& name() const override { return host_->name(); }
  int index() const override { return host_->index(); }
  void load_kernels(Precision precision) override { host_->load_kernels(precision); }
  void launch(const KernelCall& call) override {
    queue_.run();
    host_->launch(call);
  }
  void copy_to_device(void* device, const void* host, std::size_t bytes) override {
    queue_.run();
    host_->copy_to_device(device, host, bytes);
  }
  void copy_to_host(void* host, const void* device, std::size_t bytes) override {
    queue_.run();
    host_->copy_to_host(host, device, bytes);
  }
  std::span<std::byte> host_memory(std::size_t bytes) override { return host_->host_memory(bytes); }
  std::uint64_t free_memory() const override { return host_->free_memory(); }
  std::unique_ptr<Feed> make_feed(std::byte* device, std::size_t place_bytes, int places) override {
    return std::make_unique<LateFeed>(queue_, copies_, fault_, device, place_bytes, places);
  }
  void fork(int count, const std::function<void(int)>& work) override {
    queue_.run();
    host_->fork(count, work);
  }
  std::unique_ptr<Recording> record(const std::function<void()>& work) override {
    return std::make_unique<LateRecording>(queue_, work);
  }
  void wait() override { queue_.run(); }
  std::unique_ptr<Transport> connect(Communicator& comm) override { return host_->connect(comm); }

 private:
  std::unique_ptr<Accelerator> host_ = make_host_accelerator();
  CopyTime copies_;
  FeedFault fault_;
  WorkQueue queue_;
};

}  // namespace

std::unique_ptr<Accelerator> make_late_accelerator(CopyTime copies, FeedFault fault) {
  return std::make_unique<LateAccelerator>(copies, fault);
}

}  // namespace lockstep
