// The only source that knows Boost.Beast, which parses the heads of requests; limits of
// time, size and number are ours.

#include "serve/http.h"

#include <fmt/format.h>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <cstdint>
#include <limits>
#include <vector>

namespace lockstep {

namespace {

namespace http = boost::beast::http;

constexpr std::size_t kPartBytes = 4096;

constexpr std::string_view kHeaders =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Cache-Control: no-store\r\n";

std::vector<std::string> values_of(const http::fields& fields, http::field name) {
  const auto [first, last] = fields.equal_range(name);
  std::vector<std::string> values;
  for (auto at = first; at != last; ++at) values.emplace_back(at->value());
  return values;
}

RequestHead head_of(const http::request_header<>& request) {
  const std::string target(request.target());
  RequestHead head{std::string(request.method_string()),
                   target.substr(0, target.find_first_of("?#")),
                   values_of(request, http::field::host),
                   values_of(request, http::field::origin),
                   values_of(request, http::field::content_type),
                   values_of(request, http::field::content_encoding),
                   values_of(request, http::field::content_length),
                   values_of(request, http::field::transfer_encoding)};
  use_target_host(head);
  return head;
}

}  // namespace

std::optional<Request> read_request(TimedSocket& socket) {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(std::numeric_limits<std::uint32_t>::max());  // that of the socket holds
  parser.skip(true);                                               // the body
  std::string text;                                                // not yet parsed
  bool begun = false;
  boost::system::error_code fault = http::error::need_more;
  while (fault == http::error::need_more) {
    char part[kPartBytes];
    const ssize_t got = socket.read(part, sizeof(part));
    if (got <= 0) break;
    text.append(part, static_cast<std::size_t>(got));
    const std::size_t parsed = parser.put(boost::asio::buffer(text), fault);
    text.erase(0, parsed);
    begun = begun || parsed > 0;
  }
  if (!begun && fault == http::error::need_more) return {};
  Request request{.head = head_of(parser.get()),
                  .is_whole = !fault || fault == http::error::bad_content_length,
                  .keep_alive = parser.get().keep_alive(),
                  .expects_continue = parser.get()[http::field::expect] == "100-continue"};
  if (!fault) {
    socket.unread(text.size());
  } else if (request.is_whole) {
    // The library keeps no such header: it stopped before its line.
    const std::size_t value = text.find_first_not_of(" \t", text.find(':') + 1);
    request.head.content_length.push_back(text.substr(value, text.find('\r') - value));
  }
  return request;
}

std::string answer_head(int status, std::string_view type, std::size_t bytes,
                        std::string_view headers) {
  const auto reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status)));
  return fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}{}\r\n", status,
                     std::string_view(reason.data(), reason.size()), type, bytes, kHeaders,
                     headers);
}

}  // namespace lockstep
