// HTTP/1.1 (RFC 9112) as text: the head of a request, and of an answer.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "serve/request_check.h"
#include "serve/timed_socket.h"

namespace lockstep {

struct Request {
  RequestHead head;
  bool is_whole;  // it came to the end of its head, or to a Content-Length that is none
  bool keep_alive;
  bool expects_continue;
};

// Reads up to the body; nothing when not even the first line comes. The path is without
// query, in the usual form.
std::optional<Request> read_request(TimedSocket& socket);

// The head of an answer whose content has so many bytes; `headers` are further ones, each
// with its end of line.
std::string answer_head(int status, std::string_view type, std::size_t bytes,
                        std::string_view headers);

}  // namespace lockstep
