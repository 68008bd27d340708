// A connected socket with limits: a request has a deadline and a size, however slowly or
// however long it comes. Used by the thread of its connection.
#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstddef>

namespace lockstep {

class TimedSocket {
 public:
  using Clock = std::chrono::steady_clock;

  // Does not own `socket`.
  explicit TimedSocket(int socket) : socket_(socket) {}

  // Whether a request begins within `limit`; then read() gives at most `most_bytes` of it,
  // until `limit` from then.
  enum class Next { kRequest, kNone };
  Next wait_for_request(Clock::duration limit, std::size_t most_bytes);

  // As recv() and send() do, within the limits: bytes read or written, 0 at the end of
  // the stream, -1 for a failure or beyond a limit. write() has `limit` for itself.
  ssize_t read(char* data, std::size_t size);
  ssize_t write(const char* data, std::size_t size, Clock::duration limit);

  // Gives back the last bytes of the last read(), to be read again.
  void unread(std::size_t count) {
    first_ -= count;
    bytes_left_ += count;
  }

  // Ends the sending and drops what still comes, for `limit` at most: closed at once, the
  // peer might lose an answer that it has not read.
  void linger(Clock::duration limit);

  int socket() const { return socket_; }

 private:
  bool wait(short event, Clock::time_point deadline) const;
  ssize_t fill();

  int socket_;
  Clock::time_point deadline_{};
  std::size_t bytes_left_ = 0;  // of the request
  std::array<char, 8192> buffer_;
  std::size_t first_ = 0;  // of the bytes in the buffer
  std::size_t last_ = 0;
};

}  // namespace lockstep
