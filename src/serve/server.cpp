// The only source that knows cpp-httplib: it parses requests and writes answers; limits
// of time, size and number are ours.

#include "lockstep/serve/server.h"

#include <fmt/format.h>
#include <httplib.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "lockstep/core/error.h"
#include "serve/answer_memory.h"
#include "serve/connections.h"
#include "serve/metrics.h"
#include "serve/page_files.h"
#include "serve/predict_request.h"
#include "serve/request_check.h"
#include "serve/timed_socket.h"

namespace lockstep {

namespace {

using Clock = TimedSocket::Clock;

constexpr const char* kAddress = "127.0.0.1";
constexpr std::size_t kMostConnections = 64;
constexpr std::size_t kMostHeadBytes = 16 * 1024;
constexpr std::size_t kMostAnswerBytes = 64 << 20;  // of all answers under way
constexpr int kBacklog = 256;                       // connections that the system holds for us
constexpr std::chrono::seconds kTimeLimit{5};
constexpr std::chrono::milliseconds kLinger{500};
constexpr const char* kJson = "application/json";

// What this thread's connection must know of the answer that it gave.
struct Exchange {
  std::string route;
  int status = 0;
  AnswerMemory::Room room;
};
thread_local Exchange exchange;

// A connection as the library sees it.
class SocketStream final : public httplib::Stream {
 public:
  explicit SocketStream(TimedSocket& socket) : socket_(socket) {}

  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* data, size_t size) override { return socket_.read(data, size); }
  ssize_t write(const char* data, size_t size) override {
    return socket_.write(data, size, kTimeLimit);
  }
  void get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  void get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  socket_t socket() const override { return socket_.socket(); }

 private:
  TimedSocket& socket_;
};

// A thread for each connection; the accepting thread waits for a place.
class ConnectionThreads final : public httplib::TaskQueue {
 public:
  explicit ConnectionThreads(Connections& connections) : connections_(connections) {}

  void enqueue(std::function<void()> serve) override {
    connections_.open();
    threads_.enqueue(std::move(serve));
  }
  void shutdown() override {
    connections_.end_all();
    threads_.shutdown();
  }

 private:
  Connections& connections_;
  httplib::ThreadPool threads_{kMostConnections};
};

std::vector<std::string> header_values(const httplib::Request& request, const char* name) {
  const auto [first, last] = request.headers.equal_range(name);
  std::vector<std::string> values;
  for (auto at = first; at != last; ++at) values.push_back(at->second);
  return values;
}

RequestHead head_of(const httplib::Request& request) {
  return {request.method,
          request.path,
          header_values(request, "Host"),
          header_values(request, "Origin"),
          header_values(request, "Content-Type"),
          header_values(request, "Content-Encoding"),
          header_values(request, "Content-Length"),
          header_values(request, "Transfer-Encoding")};
}

void set_error(httplib::Response& response, int status, const std::string& message) {
  response.status = status;
  response.set_content(error_answer(message), kJson);
}

void set_busy(httplib::Response& response, const char* message) {
  set_error(response, 503, message);
  response.set_header("Retry-After", "1");
}

const httplib::Headers kHeaders = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cache-Control", "no-store"},
};

}  // namespace

class Server::Http final : public httplib::Server {
 public:
  Http(const ServedModel& model, Predictor& predictor, int port);

  int port() const { return port_; }
  void run();
  void end();

 private:
  bool process_and_close_socket(socket_t socket) override;
  bool answer_request(SocketStream& stream);
  void add_limits();
  void add_routes();
  void add_text(const char* path, std::string_view text, const char* type);
  void predict(const httplib::Request& request, httplib::Response& response);

  const ServedModel& model_;
  Predictor& predictor_;
  PredictRequestReader reader_;
  Connections connections_{kMostConnections};
  AnswerMemory answer_memory_{kMostAnswerBytes};
  Metrics metrics_;
  int port_;
  std::atomic<bool> ended_{false};
};

Server::Http::Http(const ServedModel& model, Predictor& predictor, int port)
    : model_(model), predictor_(predictor), reader_(model), port_(port) {
  add_limits();
  add_routes();
  set_default_headers(kHeaders);
  set_tcp_nodelay(true);
  // The library's own options would let two servers share a port.
  set_socket_options([](socket_t socket) {
    const int on = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  });
  if (port == 0) {
    port_ = bind_to_any_port(kAddress);
  } else if (!bind_to_port(kAddress, port)) {
    port_ = -1;
  }
  if (port_ < 0) fail_usage("port {} on {} cannot be had; choose another --port", port, kAddress);
  ::listen(svr_sock_, kBacklog);
  new_task_queue = [this] { return new ConnectionThreads(connections_); };
}

void Server::Http::run() {
  const bool asked = listen_after_bind();
  ended_ = true;
  if (!asked) fail_internal("connections can no longer be accepted");
}

void Server::Http::end() {
  // The library forgets a stop() that comes before it listens.
  while (!is_running() && !ended_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  stop();
}

// Called by the connection's own thread.
bool Server::Http::process_and_close_socket(socket_t socket) {
  TimedSocket timed(socket);
  SocketStream stream(timed);
  while (connections_.await_request(socket) == Connections::Verdict::kGoOn &&
         timed.wait_for_request(kTimeLimit, kMostHeadBytes + kMostBodyBytes) ==
             TimedSocket::Next::kRequest) {
    if (!answer_request(stream)) {
      timed.linger(kLinger);
      break;
    }
  }
  connections_.forget(socket);
  ::close(socket);
  connections_.closed();
  return true;
}

// Whether another request may follow.
bool Server::Http::answer_request(SocketStream& stream) {
  const auto start = Clock::now();
  exchange = {};
  bool ends = false;
  const bool written =
      process_request(stream, /*close_connection=*/false, ends, [](httplib::Request& request) {
        // Neither packed answers nor parts of them.
        request.headers.erase("Accept-Encoding");
        request.ranges.clear();
        RequestHead head = head_of(request);
        use_target_host(head);
        if (head.path == request.path) return;
        request.path = head.path;
        if (head.host.size() == 1) request.headers.find("Host")->second = head.host.front();
      });
  exchange.room.reset();
  if (exchange.status == 0) return false;  // not even a request line
  const std::chrono::duration<double> seconds = Clock::now() - start;
  metrics_.count_request(exchange.route, exchange.status, seconds.count());
  return written && !ends && exchange.status < 400;
}

void Server::Http::add_limits() {
  set_payload_max_length(kMostBodyBytes);
  set_keep_alive_timeout(kTimeLimit.count());
  set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
    const auto refusal = check_request(head_of(request), port_);
    if (!refusal) return HandlerResponse::Unhandled;
    set_error(response, refusal->status, refusal->message);
    if (refusal->status == 405) {
      response.set_header("Allow", std::string(method_of(request.path)));
    }
    return HandlerResponse::Handled;
  });
  set_exception_handler(
      [](const httplib::Request&, httplib::Response& response, std::exception_ptr fault) {
        try {
          std::rethrow_exception(fault);
        } catch (const std::exception& error) {
          spdlog::error("a request failed: {}", error.what());
          set_error(response, 500, "a fault of the server; its log says more");
        }
      });
  // Called for every answer, those of the library included. After an error the rest of
  // the request may still come, so the connection ends.
  set_post_routing_handler([](const httplib::Request& request, httplib::Response& response) {
    exchange.route = method_of(request.path).empty() ? "other" : request.path;
    exchange.status = response.status;
    response.headers.erase("Keep-Alive");  // it tells of limits that are not ours
    if (response.status < 400) return;
    response.headers.erase("Connection");
    response.set_header("Connection", "close");
  });
}

void Server::Http::add_text(const char* path, std::string_view text, const char* type) {
  Get(path, [text, type](const httplib::Request&, httplib::Response& response) {
    response.set_content(text.data(), text.size(), type);
  });
}

void Server::Http::add_routes() {
  add_text("/", kIndexHtml, "text/html; charset=utf-8");
  add_text("/page.css", kPageCss, "text/css; charset=utf-8");
  add_text("/page.js", kPageJs, "text/javascript; charset=utf-8");
  add_text("/healthz", "ok\n", "text/plain; charset=utf-8");
  // Not copied for each request: it names all classes.
  Get("/schema", [text = schema(model_)](const httplib::Request&, httplib::Response& response) {
    response.set_content_provider(
        text.size(), kJson, [&text](std::size_t first, std::size_t size, httplib::DataSink& sink) {
          return sink.write(text.data() + first, size);
        });
  });
  Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
    response.set_content(
        metrics_.text(predictor_.waiting(), static_cast<std::int64_t>(connections_.count())),
        "text/plain; version=0.0.4; charset=utf-8");
  });
  Post("/predict", [this](const httplib::Request& request, httplib::Response& response) {
    predict(request, response);
  });
}

void Server::Http::predict(const httplib::Request& request, httplib::Response& response) {
  std::vector<Predictor::Image> images;
  try {
    images = reader_.read(request.body);
  } catch (const Error& error) {
    if (error.code() != ExitCode::kUsage) throw;
    set_error(response, 400, error.what());
    return;
  }
  exchange.room = answer_memory_.take(answer_bytes(model_, images.size()));
  if (!exchange.room) return set_busy(response, "too many answers are under way; try again later");
  const auto probabilities = predictor_.predict(images);
  if (!probabilities) return set_busy(response, "too many images wait; try again later");
  metrics_.count_predictions(static_cast<std::int64_t>(images.size()));
  response.body = predict_answer(model_, images, *probabilities);
  response.set_header("Content-Type", kJson);
}

Server::Server(const ServedModel& model, Predictor& predictor, int port)
    : http_(std::make_unique<Http>(model, predictor, port)) {}

Server::~Server() = default;

int Server::port() const { return http_->port(); }

void Server::run() { http_->run(); }

void Server::stop() { http_->end(); }

}  // namespace lockstep
