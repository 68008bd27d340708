// Which requests are answered, before their bodies are read.

#include "serve/request_check.h"

#include <gtest/gtest.h>

#include <functional>
#include <tuple>

namespace lockstep {
namespace {

constexpr int kPort = 8080;

RequestHead page() { return {"GET", "/", {"127.0.0.1:8080"}, {}, {}, {}, {}, {}}; }

RequestHead prediction() {
  return {"POST", "/predict", {"localhost:8080"}, {}, {"application/json"}, {}, {"12"}, {}};
}

// 200 where nothing is refused.
int status_of(const RequestHead& head, int port = kPort) {
  const auto refusal = check_request(head, port);
  return refusal ? refusal->status : 200;
}

int with(RequestHead head, const std::function<void(RequestHead&)>& change) {
  change(head);
  return status_of(head);
}

TEST(RequestCheck, AnswersWhatThePageAndScriptsSend) {
  EXPECT_EQ(status_of(page()), 200);
  EXPECT_EQ(status_of(prediction()), 200);
  EXPECT_EQ(with(page(), [](auto& head) { head.method = "HEAD"; }), 200);
  EXPECT_EQ(with(prediction(), [](auto& head) { head.origin = {"http://127.0.0.1:8080"}; }), 200);
  EXPECT_EQ(with(prediction(), [](auto& head) { head.origin = {"http://localhost:8080"}; }), 200);
  EXPECT_EQ(with(prediction(),
                 [](auto& head) { head.content_type = {"Application/JSON; charset=utf-8"}; }),
            200);
  EXPECT_EQ(with(prediction(), [](auto& head) { head.content_encoding = {"Identity"}; }), 200);
}

TEST(RequestCheck, HostMustBeThisMachineAndPort) {
  for (const std::string host :
       {"127.0.0.1", "localhost", "127.0.0.1:80", "127.0.0.1:8081", "example.com:8080",
        "127.0.0.1:8080.example.com", "127.0.0.1:08080", "", " 127.0.0.1:8080", "[::1]:8080",
        "127.0.0.2:8080", "0.0.0.0:8080"}) {
    EXPECT_EQ(with(page(), [&](auto& head) { head.host = {host}; }), 421) << host;
  }
  EXPECT_EQ(with(page(), [](auto& head) { head.host = {"LocalHost:8080"}; }), 200);
  EXPECT_EQ(with(page(), [](auto& head) { head.host = {}; }), 421);
  EXPECT_EQ(with(page(), [](auto& head) { head.host.push_back(head.host.front()); }), 421);
  RequestHead head = page();
  head.host = {"localhost"};  // browsers leave out the port of http
  EXPECT_EQ(status_of(head, 80), 200);
}

TEST(RequestCheck, HostOfATargetInAbsoluteForm) {
  for (const auto& [target, path, status] :
       {std::tuple{"http://127.0.0.1:8080/healthz", "/healthz", 200},
        {"HTTP://LocalHost:8080/", "/", 200},
        {"http://localhost:8080", "/", 200},
        {"http://example.com:8080/", "/", 421},
        {"http://127.0.0.1:8081/", "/", 421},
        {"http://user@127.0.0.1:8080/", "/", 421},
        {"http:///healthz", "/healthz", 421},
        {"https://127.0.0.1:8080/", "https://127.0.0.1:8080/", 404},
        {"/http://127.0.0.1:8080/", "/http://127.0.0.1:8080/", 404}}) {
    RequestHead head = page();
    head.path = target;
    use_target_host(head);
    EXPECT_EQ(head.path, path);
    EXPECT_EQ(status_of(head), status) << target;
  }
  RequestHead head = page();
  head.path = "http://127.0.0.1:8080/";
  head.host = {};  // it must be there, whatever it says
  use_target_host(head);
  EXPECT_EQ(status_of(head), 421);
}

TEST(RequestCheck, EveryOriginMustBeOurs) {
  for (const std::string origin :
       {"http://example.com", "https://127.0.0.1:8080", "null", "", "http://127.0.0.1:8081",
        "http://localhost:8080.example.com", "http://localhost:8080/", "127.0.0.1:8080"}) {
    EXPECT_EQ(with(prediction(), [&](auto& head) { head.origin = {origin}; }), 403) << origin;
    EXPECT_EQ(with(prediction(),
                   [&](auto& head) {
                     head.origin = {"http://127.0.0.1:8080", origin};
                   }),
              403)
        << origin;
  }
}

TEST(RequestCheck, PathsAndMethods) {
  for (const std::string path : {"", "/index.html", "//", "/predict/", "/PREDICT", "/../healthz"}) {
    EXPECT_EQ(method_of(path), "") << path;
    EXPECT_EQ(with(page(), [&](auto& head) { head.path = path; }), 404) << path;
  }
  EXPECT_EQ(method_of("/predict"), "POST");
  EXPECT_EQ(method_of("/healthz"), "GET");
  for (const std::string method : {"POST", "PUT", "DELETE", "OPTIONS", "get", ""}) {
    EXPECT_EQ(with(page(), [&](auto& head) { head.method = method; }), 405) << method;
  }
  for (const std::string method : {"GET", "HEAD", "PUT"}) {
    EXPECT_EQ(with(prediction(), [&](auto& head) { head.method = method; }), 405) << method;
  }
}

TEST(RequestCheck, LengthOfABody) {
  const auto length = [](const std::string& text) {
    return with(prediction(), [&](auto& head) { head.content_length = {text}; });
  };
  EXPECT_EQ(length("0"), 200);
  EXPECT_EQ(length("65536"), 200);
  EXPECT_EQ(length("65537"), 413);
  EXPECT_EQ(length("18446744073709551615"), 413);
  EXPECT_EQ(length("18446744073709551616"), 413);
  for (const std::string text : {"", "-1", "+1", "1.0", "0x10", "1 ", "1,1", "one"}) {
    EXPECT_EQ(length(text), 400) << text;
  }
  EXPECT_EQ(with(prediction(), [](auto& head) { head.content_length = {"12", "12"}; }), 400);
  EXPECT_EQ(with(prediction(), [](auto& head) { head.content_length = {}; }), 411);
  EXPECT_EQ(with(prediction(), [](auto& head) { head.transfer_encoding = {"chunked"}; }), 411);
}

TEST(RequestCheck, KindOfABody) {
  for (const std::string type : {"text/plain", "", "application/jsonx", "multipart/form-data"}) {
    EXPECT_EQ(with(prediction(), [&](auto& head) { head.content_type = {type}; }), 415) << type;
  }
  EXPECT_EQ(with(prediction(), [](auto& head) { head.content_type = {}; }), 415);
  EXPECT_EQ(with(prediction(), [](auto& head) { head.content_type.push_back("application/json"); }),
            415);
  EXPECT_EQ(with(prediction(), [](auto& head) { head.content_encoding = {"gzip"}; }), 415);
}

TEST(RequestCheck, PagesTakeNoBody) {
  EXPECT_EQ(with(page(), [](auto& head) { head.content_length = {"0"}; }), 400);
  EXPECT_EQ(with(page(), [](auto& head) { head.transfer_encoding = {"chunked"}; }), 400);
}

}  // namespace
}  // namespace lockstep
