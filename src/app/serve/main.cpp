// lockstep-serve: a page and a JSON endpoint on this machine, for one model.

#include <fmt/format.h>
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <future>
#include <string>

#include "lockstep/comm/communicator.h"
#include "lockstep/core/error.h"
#include "lockstep/core/log.h"
#include "lockstep/core/output.h"
#include "lockstep/run/place.h"
#include "lockstep/run/trained_model.h"
#include "lockstep/serve/predictor.h"
#include "lockstep/serve/server.h"

namespace lockstep {

namespace {

constexpr const char* kUsageHint = "(see lockstep-serve --help)";

struct ServeLine {
  std::string checkpoint;
  int port = 8080;
  int threads = 0;  // 0: one a core
};

void add_options(CLI::App& app, ServeLine& line) {
  app.add_option("CHECKPOINT", line.checkpoint,
                 "Run folder (its best weights), checkpoint folder or .safetensors file; default: "
                 "models/digits.safetensors");
  app.add_option("--port", line.port, "TCP port on 127.0.0.1; 0: any that is free")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app.add_option("--threads", line.threads, "Threads that run the network; default: one a core")
      ->check(CLI::Range(1, 256));
  app.footer(
      "GET / is the page, POST /predict takes JSON (GET /schema describes it), GET /healthz and\n"
      "GET /metrics are for supervision. Ends at Ctrl-C or TERM.\n\n"
      "Examples:\n"
      "  lockstep serve\n"
      "  lockstep serve models/digits/<run> --port 9000");
}

sigset_t end_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGTERM);
  return signals;
}

void serve(const ServeLine& line) {
  const auto comm = connect_self();
  const TrainedModel trained = TrainedModel::load(
      *comm, line.checkpoint.empty() ? default_checkpoint("no CHECKPOINT") : line.checkpoint);
  const Normalization normalization =
      for_levels(trained.normalization, trained.experiment.data.range);
  const ServedModel model{trained.experiment.name,
                          class_names_of(trained.experiment.data),
                          trained.network,
                          trained.weights,
                          normalization,
                          trained.framing,
                          trained.experiment.data.images};
  Predictor predictor(model, {.threads = worker_count(*comm, line.threads)});
  Server server(model, predictor, line.port);
  fmt::print("{}: {} classes\nhttp://127.0.0.1:{}/\n", model.name, model.class_names.size(),
             server.port());
  std::fflush(stdout);
  auto served = std::async(std::launch::async, [&server] {
    try {
      server.run();
    } catch (...) {
      ::kill(::getpid(), SIGTERM);  // wakes the thread that waits for it
      throw;
    }
  });
  const sigset_t signals = end_signals();
  int number = 0;
  ::sigwait(&signals, &number);
  server.stop();
  served.get();
}

int run(int argc, char** argv) {
  CLI::App app("Serve a trained model on this machine: a page to draw on, and JSON",
               "lockstep-serve");
  ServeLine line;
  add_options(app, line);
  try {
    app.parse(argc, argv);
    start_log(/*rank=*/0);
    serve(line);
    return 0;
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "lockstep-serve: {} {}\n", error.what(), kUsageHint);
    return static_cast<int>(ExitCode::kUsage);
  } catch (const Error& error) {
    fmt::print(stderr, "lockstep-serve: {}\n", error.what());
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    fmt::print(stderr, "lockstep-serve: {}\n", error.what());
    return static_cast<int>(ExitCode::kInternal);
  }
}

}  // namespace

}  // namespace lockstep

int main(int argc, char** argv) {
  // Large answers go back to the system when they are sent: each thread would keep its own.
  ::mallopt(M_MMAP_THRESHOLD, 1 << 20);
  // Before any thread is there, so that they all leave these signals to sigwait().
  const sigset_t signals = lockstep::end_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  lockstep::leave(lockstep::run(argc, argv));
}
