#include "serve/request_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "lockstep/core/text.h"

namespace lockstep {

namespace {

constexpr std::string_view kScheme = "http://";

const std::map<std::string_view, std::string_view> kRoutes = {
    {"/", "GET"},        {"/page.css", "GET"}, {"/page.js", "GET"},  {"/healthz", "GET"},
    {"/metrics", "GET"}, {"/schema", "GET"},   {"/predict", "POST"},
};

bool is_here(const std::string& host, int port) {
  const std::string name = lower_case(host);
  for (const std::string here : {"127.0.0.1", "localhost"}) {
    if (name == fmt::format("{}:{}", here, port) || (port == 80 && name == here)) return true;
  }
  return false;
}

std::optional<Refusal> check_origin(const RequestHead& head, int port) {
  if (head.host.size() != 1 || !is_here(head.host.front(), port)) {
    return Refusal{421, fmt::format("expected the header Host: 127.0.0.1:{}, or localhost", port)};
  }
  const auto is_ours = [&](const std::string& origin) {
    return origin.starts_with(kScheme) && is_here(origin.substr(kScheme.size()), port);
  };
  if (std::all_of(head.origin.begin(), head.origin.end(), is_ours)) return {};
  return Refusal{403, "pages from elsewhere may not ask this server"};
}

std::optional<Refusal> check_length(const RequestHead& head) {
  if (!head.transfer_encoding.empty() || head.content_length.empty()) {
    return Refusal{411, "expected a Content-Length and no Transfer-Encoding"};
  }
  std::size_t bytes = 0;
  const std::string& text = head.content_length.front();
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (fault == std::errc::result_out_of_range || bytes > kMostBodyBytes) {
    return Refusal{413, fmt::format("a body may have {} bytes at most", kMostBodyBytes)};
  }
  if (head.content_length.size() > 1 || fault != std::errc() || end != text.data() + text.size()) {
    return Refusal{400, "Content-Length is not one number"};
  }
  return {};
}

std::optional<Refusal> check_body(const RequestHead& head) {
  if (auto refusal = check_length(head)) return refusal;
  for (const std::string& coding : head.content_encoding) {
    if (lower_case(coding) != "identity") {
      return Refusal{415, fmt::format("Content-Encoding is \"{}\"; expected none", coding)};
    }
  }
  const std::string type = head.content_type.empty() ? "" : lower_case(head.content_type.front());
  if (head.content_type.size() == 1 && type.substr(0, type.find(';')) == "application/json") {
    return {};
  }
  return Refusal{415, "expected Content-Type: application/json"};
}

}  // namespace

void use_target_host(RequestHead& head) {
  if (lower_case(head.path.substr(0, kScheme.size())) != kScheme) return;
  const std::size_t slash = std::min(head.path.find('/', kScheme.size()), head.path.size());
  if (head.host.size() == 1) {
    head.host.front() = head.path.substr(kScheme.size(), slash - kScheme.size());
  }
  head.path = slash == head.path.size() ? std::string("/") : head.path.substr(slash);
}

std::string_view method_of(std::string_view path) {
  const auto found = kRoutes.find(path);
  return found == kRoutes.end() ? std::string_view{} : found->second;
}

std::optional<Refusal> check_request(const RequestHead& head, int port) {
  if (auto refusal = check_origin(head, port)) return refusal;
  const std::string_view method = method_of(head.path);
  if (method.empty()) return Refusal{404, "there is no such page; see /, /schema, /metrics"};
  if (head.method != method && !(method == "GET" && head.method == "HEAD")) {
    return Refusal{405, fmt::format("expected {} {}", method, head.path)};
  }
  if (method == "POST") return check_body(head);
  if (head.content_length.empty() && head.transfer_encoding.empty()) return {};
  return Refusal{400, fmt::format("{} {} takes no body", head.method, head.path)};
}

}  // namespace lockstep
