// What a request must be before its body is read.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

inline constexpr std::size_t kMostBodyBytes = 64 * 1024;

struct RequestHead {
  std::string method;
  std::string path;
  // Every value of these headers.
  std::vector<std::string> host;
  std::vector<std::string> origin;
  std::vector<std::string> content_type;
  std::vector<std::string> content_encoding;
  std::vector<std::string> content_length;
  std::vector<std::string> transfer_encoding;
};

// A target in absolute form (RFC 9112, 3.2.2), as proxies and some clients send it, in the
// usual one: its host takes the place of the one value of Host. Others stay as they are.
void use_target_host(RequestHead& head);

struct Refusal {
  int status;
  std::string message;
};

// The method that the server answers at `path`; empty for a path that it has not.
std::string_view method_of(std::string_view path);

// Why the server at `port` does not answer the request; nothing when it does. Host and
// Origin must name this machine: a page from elsewhere whose name was made to lead
// here (DNS rebinding), or that sends its requests here, gets no answer.
std::optional<Refusal> check_request(const RequestHead& head, int port);

}  // namespace lockstep
