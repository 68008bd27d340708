// HTTP on 127.0.0.1 for one model: the page, POST /predict, and what supervises it.
// Owned by main. It holds at most 64 connections; when one more comes, the one whose
// request takes longest to arrive is closed.
#pragma once

#include <memory>

#include "lockstep/serve/predictor.h"
#include "lockstep/serve/served_model.h"

namespace lockstep {

class Server {
 public:
  // Takes the port, 0 for any that is free; Error (2) when it cannot be had. `model` and
  // `predictor` must outlive it.
  Server(const ServedModel& model, Predictor& predictor, int port);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const;

  // Answers until stop(); Error (1) when connections can no longer be accepted.
  void run();

  // From any thread, after or before run() is called: requests under way are answered,
  // then run() returns.
  void stop();

 private:
  class Http;
  std::unique_ptr<Http> http_;
};

}  // namespace lockstep
