#include "comm/tcp_traffic.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

namespace lockstep {
namespace {

// Both ends of a connection of this process with itself.
class Connection {
 public:
  Connection() {
    const int listening = ::socket(AF_INET, SOCK_STREAM, 0);
    ::sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    ::socklen_t size = sizeof(address);
    auto* any = reinterpret_cast<::sockaddr*>(&address);
    EXPECT_EQ(::bind(listening, any, size), 0);
    EXPECT_EQ(::listen(listening, 1), 0);
    EXPECT_EQ(::getsockname(listening, any, &size), 0);
    near_ = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(::connect(near_, any, size), 0);
    far_ = ::accept(listening, nullptr, nullptr);
    EXPECT_GE(far_, 0);
    ::close(listening);
  }
  ~Connection() {
    ::close(near_);
    ::close(far_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void carry(std::size_t bytes) {
    std::vector<char> data(bytes);
    EXPECT_EQ(::send(near_, data.data(), bytes, 0), static_cast<::ssize_t>(bytes));
    EXPECT_EQ(::recv(far_, data.data(), bytes, MSG_WAITALL), static_cast<::ssize_t>(bytes));
  }

 private:
  int near_ = -1;
  int far_ = -1;
};

TEST(TcpTraffic, GrowsByWhatIsReceived) {
  Connection connection;
  const std::uint64_t before = tcp_traffic_bytes();
  connection.carry(10'007);
  const std::uint64_t after = tcp_traffic_bytes();
  // What was received counts at once; that it was is acknowledged at some time.
  EXPECT_GE(after - before, 10'007U);
  EXPECT_LE(after - before, 2 * 10'007U);
}

TEST(TcpTraffic, StaysWhereNothingIsCarried) {
  EXPECT_EQ(tcp_traffic_bytes(), tcp_traffic_bytes());
}

TEST(TcpTraffic, ForgetsClosedConnections) {
  const std::uint64_t before = tcp_traffic_bytes();
  {
    Connection connection;
    connection.carry(333);
  }
  EXPECT_EQ(tcp_traffic_bytes(), before);
}

}  // namespace
}  // namespace lockstep
