// The server itself, and the limits of its connections.

#include "lockstep/serve/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "serve/answer_memory.h"
#include "serve/connections.h"
#include "serve/model.h"
#include "serve/timed_socket.h"

namespace lockstep {
namespace {

using std::chrono::milliseconds;

class ServerTest : public testing::Test {
 protected:
  ~ServerTest() override {
    server_.stop();
    thread_.join();
  }

  // The whole answer to `body`, posted on a connection of its own.
  std::string predict(const std::string& body) const {
    const std::string request =
        "POST /predict HTTP/1.1\r\nHost: localhost:" + std::to_string(server_.port()) +
        "\r\nContent-Type: application/json\r\nConnection: close\r\n"
        "Content-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body;
    const int connection = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(server_.port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(::send(connection, request.data(), request.size(), 0),
              static_cast<ssize_t>(request.size()));
    std::string answer;
    char part[4096];
    for (ssize_t got = 0; (got = ::recv(connection, part, sizeof(part), 0)) > 0;) {
      answer.append(part, static_cast<std::size_t>(got));
    }
    ::close(connection);
    return answer;
  }

  static std::string body_of(int images) {
    std::string text = "{\"images\": [";
    for (int i = 0; i < images; ++i) text += i == 0 ? "[0,0,0,0,0,9]" : ",[0,0,0,0,0,9]";
    return text + "]}";
  }

  TinyModel model_;
  Predictor predictor_{model_.served, {.threads = 1, .most_waiting = 3}};
  Server server_{model_.served, predictor_, /*port=*/0};
  std::thread thread_{[this] { server_.run(); }};
};

TEST_F(ServerTest, AFullQueueIsSaidAndPasses) {
  for (int i = 0; i < 3; ++i) {
    const std::string refused = predict(body_of(4));
    EXPECT_TRUE(refused.starts_with("HTTP/1.1 503 ")) << refused;
    EXPECT_NE(refused.find("\r\nRetry-After: 1\r\n"), std::string::npos);
    EXPECT_NE(refused.find("{\"error\":\"too many images wait; try again later\"}"),
              std::string::npos);
    EXPECT_TRUE(predict(body_of(3)).starts_with("HTTP/1.1 200 "));
  }
  EXPECT_EQ(predictor_.waiting(), 0);
}

TEST(AnswerMemory, GivesRoomUntilItIsFull) {
  AnswerMemory memory(10);
  AnswerMemory::Room first = memory.take(6);
  EXPECT_TRUE(first);
  EXPECT_FALSE(memory.take(5));
  const AnswerMemory::Room second = memory.take(4);
  EXPECT_TRUE(second);
  first.reset();
  EXPECT_TRUE(memory.take(6));
  EXPECT_FALSE(memory.take(7));
}

TEST(AnswerMemory, HasRoomForAnyAnswerThatIsAlone) {
  AnswerMemory memory(10);
  AnswerMemory::Room large = memory.take(11);
  EXPECT_TRUE(large);
  EXPECT_FALSE(memory.take(1));
  large.reset();
  EXPECT_TRUE(memory.take(1));
}

// Two ends of a connection.
class SocketTest : public testing::Test {
 protected:
  SocketTest() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_), 0); }
  ~SocketTest() override {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  void send(const std::string& text) const {
    EXPECT_EQ(::send(ends_[1], text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
  // What read() gives until it fails or the stream ends, and that last value.
  static std::pair<std::string, ssize_t> read_all(TimedSocket& socket) {
    std::string text;
    char part[7];
    while (true) {
      const ssize_t got = socket.read(part, sizeof(part));
      if (got <= 0) return {text, got};
      text.append(part, static_cast<std::size_t>(got));
    }
  }

  int ends_[2];
};

TEST_F(SocketTest, ARequestMayHaveSoManyBytes) {
  TimedSocket socket(ends_[0]);
  send("0123456789abc");
  ASSERT_EQ(socket.wait_for_request(milliseconds(1000), 10), TimedSocket::Next::kRequest);
  EXPECT_EQ(read_all(socket), (std::pair<std::string, ssize_t>{"0123456789", -1}));
  // The next one begins with what was left, and has the whole limit again.
  ASSERT_EQ(socket.wait_for_request(milliseconds(1000), 10), TimedSocket::Next::kRequest);
  ::shutdown(ends_[1], SHUT_WR);
  EXPECT_EQ(read_all(socket), (std::pair<std::string, ssize_t>{"abc", 0}));
}

TEST_F(SocketTest, WhatIsGivenBackIsReadAgain) {
  TimedSocket socket(ends_[0]);
  send("abcdef");
  ASSERT_EQ(socket.wait_for_request(milliseconds(1000), 5), TimedSocket::Next::kRequest);
  char part[4];
  ASSERT_EQ(socket.read(part, 4), 4);
  socket.unread(3);
  EXPECT_EQ(read_all(socket), (std::pair<std::string, ssize_t>{"bcde", -1}));
}

TEST_F(SocketTest, ARequestHasADeadlineHoweverOftenBytesCome) {
  TimedSocket socket(ends_[0]);
  EXPECT_EQ(socket.wait_for_request(milliseconds(20), 10), TimedSocket::Next::kNone);
  send("x");
  ASSERT_EQ(socket.wait_for_request(milliseconds(200), 100000), TimedSocket::Next::kRequest);
  std::atomic<bool> ended = false;
  std::thread sender([&] {
    while (!ended) {
      send("x");
      std::this_thread::sleep_for(milliseconds(1));
    }
  });
  const auto [text, last] = read_all(socket);  // or for ever
  ended = true;
  sender.join();
  EXPECT_EQ(last, -1);
}

TEST_F(SocketTest, AnAnswerThatNobodyReadsHasADeadline) {
  TimedSocket socket(ends_[0]);
  const std::string large(8 << 20, 'x');
  EXPECT_EQ(socket.write(large.data(), large.size(), milliseconds(50)), -1);
}

TEST_F(SocketTest, OneMoreConnectionEndsTheOneThatWaitsLongest) {
  Connections connections(1);
  connections.open();
  ASSERT_EQ(connections.await_request(ends_[0]), Connections::Verdict::kGoOn);
  std::thread first([&] {
    char byte = 0;
    EXPECT_EQ(::recv(ends_[0], &byte, 1, 0), 0);  // told to end
    connections.forget(ends_[0]);
    connections.closed();
  });
  connections.open();
  first.join();
  EXPECT_EQ(connections.count(), 1U);
  connections.end_all();
  EXPECT_EQ(connections.await_request(ends_[1]), Connections::Verdict::kEnd);
}

}  // namespace
}  // namespace lockstep
