#include "serve/timed_socket.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace lockstep {

TimedSocket::Next TimedSocket::wait_for_request(Clock::duration limit, std::size_t most_bytes) {
  deadline_ = Clock::now() + limit;
  if (first_ == last_ && fill() <= 0) return Next::kNone;
  deadline_ = Clock::now() + limit;
  bytes_left_ = most_bytes;
  return Next::kRequest;
}

ssize_t TimedSocket::read(char* data, std::size_t size) {
  if (bytes_left_ == 0) return -1;
  if (first_ == last_) {
    const ssize_t got = fill();
    if (got <= 0) return got;
  }
  const std::size_t count = std::min({size, last_ - first_, bytes_left_});
  std::memcpy(data, buffer_.data() + first_, count);
  first_ += count;
  bytes_left_ -= count;
  return static_cast<ssize_t>(count);
}

ssize_t TimedSocket::write(const char* data, std::size_t size, Clock::duration limit) {
  const auto deadline = Clock::now() + limit;
  std::size_t done = 0;
  while (done < size) {
    const ssize_t sent = ::send(socket_, data + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      done += static_cast<std::size_t>(sent);
    } else if (errno != EINTR && (errno != EAGAIN || !wait(POLLOUT, deadline))) {
      return -1;
    }
  }
  return static_cast<ssize_t>(size);
}

void TimedSocket::linger(Clock::duration limit) {
  ::shutdown(socket_, SHUT_WR);
  deadline_ = Clock::now() + limit;
  while (fill() > 0) {
  }
}

bool TimedSocket::wait(short event, Clock::time_point deadline) const {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return false;
    pollfd poll{socket_, event, 0};
    const int ready = ::poll(&poll, 1, static_cast<int>(left.count()));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

ssize_t TimedSocket::fill() {
  while (wait(POLLIN, deadline_)) {
    const ssize_t got = ::recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    first_ = 0;
    last_ = got > 0 ? static_cast<std::size_t>(got) : 0;
    return got;
  }
  return -1;
}

}  // namespace lockstep
