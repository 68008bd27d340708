// The connections and their limits; what is answered to which request.

#include "lockstep/serve/server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "lockstep/core/error.h"
#include "serve/answer_memory.h"
#include "serve/connections.h"
#include "serve/http.h"
#include "serve/metrics.h"
#include "serve/page_files.h"
#include "serve/predict_request.h"
#include "serve/request_check.h"
#include "serve/timed_socket.h"

namespace lockstep {

namespace {

using boost::asio::ip::tcp;
using Clock = TimedSocket::Clock;

constexpr std::size_t kMostConnections = 64;
constexpr std::size_t kMostHeadBytes = 16 * 1024;
constexpr std::size_t kMostAnswerBytes = 64 << 20;   // of all answers under way
constexpr std::size_t kMostJoinedBytes = 16 * 1024;  // of an answer sent with its head
constexpr std::chrono::seconds kTimeLimit{5};
constexpr std::chrono::milliseconds kLinger{500};
constexpr std::chrono::milliseconds kNoDescriptorPause{10};

struct Answer {
  AnswerMemory::Room room{};  // given back after what it holds
  int status = 200;
  std::string_view type = "application/json";
  std::string text{};
  std::string_view kept{};  // instead of `text`; the server keeps it
  std::string headers{};    // further ones, each with its end of line

  std::string_view content() const { return kept.empty() ? text : kept; }
};

Answer error(int status, const std::string& message, std::string headers = "") {
  return {.status = status, .text = error_answer(message), .headers = std::move(headers)};
}

Answer busy(const std::string& message) { return error(503, message, "Retry-After: 1\r\n"); }

bool write_answer(TimedSocket& socket, const Answer& answer, bool head_only) {
  const std::string_view content = answer.content();
  const auto write = [&](std::string_view text) {
    return socket.write(text.data(), text.size(), kTimeLimit) >= 0;
  };
  std::string head = answer_head(answer.status, answer.type, content.size(), answer.headers);
  if (head_only) return write(head);
  if (content.size() > kMostJoinedBytes) return write(head) && write(content);
  return write(head.append(content));
}

// Port 0 stands for any that is free; Error (2) when the port cannot be had.
tcp::acceptor listen_at(boost::asio::io_context& context, int port) try {
  return {context, {boost::asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port)}};
} catch (const boost::system::system_error&) {
  fail_usage("port {} on 127.0.0.1 cannot be had; choose another --port", port);
}

}  // namespace

class Server::Http {
 public:
  Http(const ServedModel& model, Predictor& predictor, int port);

  int port() const { return port_; }
  void run();
  void stop();

 private:
  int accept();
  void serve(int socket);
  bool answer_request(TimedSocket& socket);
  Answer answer(const Request& request, TimedSocket& socket);
  Answer answer_page(const std::string& path) const;
  Answer predict(const std::string& body);

  const ServedModel& model_;
  Predictor& predictor_;
  PredictRequestReader reader_;
  Connections connections_{kMostConnections};
  AnswerMemory answer_memory_{kMostAnswerBytes};
  Metrics metrics_;
  const std::string schema_;
  boost::asio::io_context context_;
  tcp::acceptor acceptor_;
  const int port_;
  std::atomic<bool> stopped_{false};
};

Server::Http::Http(const ServedModel& model, Predictor& predictor, int port)
    : model_(model),
      predictor_(predictor),
      reader_(model),
      schema_(schema(model)),
      acceptor_(listen_at(context_, port)),
      port_(acceptor_.local_endpoint().port()) {}

void Server::Http::run() {
  boost::asio::thread_pool threads(kMostConnections);
  for (int socket = 0; (socket = accept()) >= 0;) {
    connections_.open();
    boost::asio::post(threads, [this, socket] { serve(socket); });
  }
  connections_.end_all();
  threads.join();
  if (!stopped_) fail_internal("connections can no longer be accepted");
}

void Server::Http::stop() {
  stopped_ = true;
  ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
}

// The next connection; -1 when there will be none.
int Server::Http::accept() {
  boost::system::error_code fault = boost::asio::error::no_descriptors;
  while (fault == boost::asio::error::no_descriptors) {
    tcp::socket socket = acceptor_.accept(fault);
    if (!fault) {
      boost::system::error_code gone;
      socket.set_option(tcp::no_delay(true), gone);
      return socket.release();
    }
    std::this_thread::sleep_for(kNoDescriptorPause);
  }
  return -1;
}

void Server::Http::serve(int socket) {
  TimedSocket timed(socket);
  while (connections_.await_request(socket) == Connections::Verdict::kGoOn &&
         timed.wait_for_request(kTimeLimit, kMostHeadBytes + kMostBodyBytes) ==
             TimedSocket::Next::kRequest) {
    if (!answer_request(timed)) {
      timed.linger(kLinger);
      break;
    }
  }
  connections_.forget(socket);
  ::close(socket);
  connections_.closed();
}

// Whether another request may follow. After an error the rest of the request may still
// come, so the connection ends.
bool Server::Http::answer_request(TimedSocket& socket) {
  const auto start = Clock::now();
  const auto request = read_request(socket);
  if (!request) return false;
  bool goes_on = request->keep_alive;
  int status = 0;
  {
    Answer answer = this->answer(*request, socket);
    status = answer.status;
    goes_on = goes_on && status < 400;
    if (!goes_on) answer.headers += "Connection: close\r\n";
    goes_on = write_answer(socket, answer, request->head.method == "HEAD") && goes_on;
  }
  const std::string& path = request->head.path;
  const std::chrono::duration<double> seconds = Clock::now() - start;
  metrics_.count_request(method_of(path).empty() ? "other" : path, status, seconds.count());
  return goes_on;
}

Answer Server::Http::answer(const Request& request, TimedSocket& socket) try {
  if (!request.is_whole) return error(400, "expected a request of HTTP/1.1");
  const RequestHead& head = request.head;
  if (const auto refusal = check_request(head, port_)) {
    return error(refusal->status, refusal->message,
                 refusal->status == 405 ? fmt::format("Allow: {}\r\n", method_of(head.path)) : "");
  }
  if (head.content_length.empty()) return answer_page(head.path);
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  if (request.expects_continue) socket.write(kContinue.data(), kContinue.size(), kTimeLimit);
  std::string body(std::stoul(head.content_length.front()), '\0');
  for (std::size_t done = 0; done < body.size();) {
    const ssize_t got = socket.read(body.data() + done, body.size() - done);
    if (got <= 0) return error(400, "the body did not come whole");
    done += static_cast<std::size_t>(got);
  }
  return predict(body);
} catch (const std::exception& fault) {
  spdlog::error("a request failed: {}", fault.what());
  return error(500, "a fault of the server; its log says more");
}

Answer Server::Http::answer_page(const std::string& path) const {
  static const std::map<std::string_view, std::pair<std::string_view, std::string_view>> pages = {
      {"/", {"text/html; charset=utf-8", kIndexHtml}},
      {"/page.css", {"text/css; charset=utf-8", kPageCss}},
      {"/page.js", {"text/javascript; charset=utf-8", kPageJs}},
      {"/healthz", {"text/plain; charset=utf-8", "ok\n"}},
  };
  if (path == "/schema") return {.kept = schema_};
  if (path == "/metrics") {
    const auto connections = static_cast<std::int64_t>(connections_.count());
    return {.type = "text/plain; version=0.0.4; charset=utf-8",
            .text = metrics_.text(predictor_.waiting(), connections)};
  }
  const auto& [type, text] = pages.at(path);
  return {.type = type, .kept = text};
}

Answer Server::Http::predict(const std::string& body) {
  std::vector<Predictor::Image> images;
  try {
    images = reader_.read(body);
  } catch (const Error& fault) {
    if (fault.code() != ExitCode::kUsage) throw;
    return error(400, fault.what());
  }
  auto room = answer_memory_.take(answer_bytes(model_, images.size()));
  if (!room) return busy("too many answers are under way; try again later");
  const auto probabilities = predictor_.predict(images);
  if (!probabilities) return busy("too many images wait; try again later");
  metrics_.count_predictions(static_cast<std::int64_t>(images.size()));
  return {.room = std::move(room), .text = predict_answer(model_, images, *probabilities)};
}

Server::Server(const ServedModel& model, Predictor& predictor, int port)
    : http_(std::make_unique<Http>(model, predictor, port)) {}

Server::~Server() = default;

int Server::port() const { return http_->port(); }

void Server::run() { http_->run(); }

void Server::stop() { http_->stop(); }

}  // namespace lockstep
