#include "comm/tcp_traffic.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <charconv>
#include <cstddef>
#include <filesystem>
#include <string>
#include <system_error>

namespace lockstep {

namespace {

// 0 for what is no TCP connection.
std::uint64_t traffic_of(int descriptor) {
  ::tcp_info info{};
  ::socklen_t size = sizeof(info);
  constexpr std::size_t kNeeded =
      offsetof(::tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received);
  if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || size < kNeeded)
    return 0;
  return info.tcpi_bytes_acked + info.tcpi_bytes_received;
}

}  // namespace

std::uint64_t tcp_traffic_bytes() {
  std::uint64_t bytes = 0;
  std::error_code failed;
  for (std::filesystem::directory_iterator each("/proc/self/fd", failed), end;
       !failed && each != end; each.increment(failed)) {
    const std::string name = each->path().filename().string();
    int descriptor = -1;
    std::from_chars(name.data(), name.data() + name.size(), descriptor);
    bytes += traffic_of(descriptor);
  }
  return bytes;
}

}  // namespace lockstep
