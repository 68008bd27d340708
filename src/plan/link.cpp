#include "lockstep/plan/link.h"

#include <cmath>
#include <cstdlib>

#include "lockstep/core/error.h"
#include "lockstep/core/names.h"

namespace lockstep {

namespace {

struct NamedLink {
  const char* name;
  double latency_microseconds;
  double gigabits;
  double message_microseconds;
};

constexpr NamedLink kLinks[] = {
    {"1GbE", 50, 1, 4},     {"10GbE", 25, 10, 3},    {"25GbE", 15, 25, 3},
    {"100GbE", 3, 100, .5}, {"200Gb", 1.3, 200, .3}, {"400Gb", 1.1, 400, .3},
};
constexpr double kPayload = 0.92;
constexpr double kBytesOfGigabit = 1e9 / 8;
constexpr double kMessageSeconds = 3e-6;  // kernel TCP
constexpr double kByteSeconds = 0.3e-9;
constexpr double kFastestTcp = 25;        // Gbit/s
constexpr double kEagerTcpBytes = 512e3;  // as the ranks ask of Open MPI
constexpr double kEagerBytes = 64e3;

bool read_number(const std::string& text, double& number) {
  char* end = nullptr;
  number = std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0' && std::isfinite(number) && number >= 0;
}

}  // namespace

std::vector<std::string> link_names() {
  std::vector<std::string> names;
  for (const NamedLink& link : kLinks) names.emplace_back(link.name);
  return names;
}

Link link_of(const std::string& text) {
  for (const NamedLink& each : kLinks) {
    if (text != each.name) continue;
    return {.latency_seconds = each.latency_microseconds * 1e-6,
            .bytes_per_second = each.gigabits * kBytesOfGigabit * kPayload,
            .message_seconds = each.message_microseconds * 1e-6,
            .byte_seconds = each.gigabits <= kFastestTcp ? kByteSeconds : 0,
            .rendezvous_bytes = each.gigabits <= kFastestTcp ? kEagerTcpBytes : kEagerBytes};
  }
  const std::size_t colon = text.find(':');
  double latency = 0;
  double gigabits = 0;
  if (colon != std::string::npos && read_number(text.substr(0, colon), latency) &&
      read_number(text.substr(colon + 1), gigabits) && gigabits > 0) {
    return {.latency_seconds = latency * 1e-6,
            .bytes_per_second = gigabits * kBytesOfGigabit,
            .message_seconds = kMessageSeconds,
            .byte_seconds = kByteSeconds,
            .rendezvous_bytes = kEagerTcpBytes};
  }
  fail_usage(
      "--network \"{}\": expected {} or LATENCY:SPEED in microseconds and Gbit/s, as in 15:25{}",
      text, fmt::join(link_names(), ", "), did_you_mean(text, link_names()));
}

}  // namespace lockstep
