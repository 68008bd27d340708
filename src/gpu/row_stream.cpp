#include "gpu/row_stream.h"

#include <utility>

namespace lockstep {

RowStream::RowStream(std::unique_ptr<Feed> feed, Gather gather)
    : feed_(std::move(feed)), gather_(std::move(gather)), thread_([this] { run(); }) {}

RowStream::~RowStream() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

int RowStream::begin_step(std::int64_t step) {
  Lock lock(mutex_);
  const std::int64_t following =
      used_ < sent_ ? step_[static_cast<std::size_t>(place_of(used_))] : next_step_;
  if (following != step) begin_at(step, lock);
  changed_.wait(lock, [&] { return used_ < sent_ || thrown_ != nullptr; });
  if (used_ == sent_) std::rethrow_exception(thrown_);
  const int place = place_of(used_);
  lock.unlock();
  feed_->begin_use(place);
  return place;
}

// What was gathered for other steps is passed over.
void RowStream::begin_at(std::int64_t step, Lock& lock) {
  next_step_ = -1;
  changed_.wait(lock, [&] { return !fills_; });
  used_ = sent_;
  next_step_ = step;
  thrown_ = nullptr;
  changed_.notify_all();
}

void RowStream::end_step() {
  feed_->end_use(place_of(used_));
  {
    const std::lock_guard lock(mutex_);
    ++used_;
  }
  changed_.notify_all();
}

void RowStream::run() {
  Lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] {
      return ends_ || (next_step_ >= 0 && sent_ < used_ + kPlaces && thrown_ == nullptr);
    });
    if (ends_) return;
    const std::int64_t turn = sent_;
    const std::int64_t step = next_step_;
    fills_ = true;
    lock.unlock();
    std::exception_ptr thrown;
    try {
      fill(turn, step);
    } catch (...) {
      thrown = std::current_exception();
    }
    lock.lock();
    fills_ = false;
    thrown_ = thrown;
    if (thrown_ == nullptr) {
      step_[static_cast<std::size_t>(place_of(turn))] = step;
      ++sent_;
      if (next_step_ == step) ++next_step_;
    }
    changed_.notify_all();
  }
}

void RowStream::fill(std::int64_t turn, std::int64_t step) {
  const int place = place_of(turn);
  feed_->await_sent(place);
  gather_(step, feed_->host(place));
  feed_->send(place);
}

}  // namespace lockstep
