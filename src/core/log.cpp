#include "lockstep/core/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

using Sinks = std::shared_ptr<spdlog::sinks::dist_sink_mt>;

Sinks& log_sinks() {
  static Sinks sinks;
  return sinks;
}

}  // namespace

void start_log(int rank) {
  auto terminal = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  terminal->set_level(spdlog::level::warn);
  terminal->set_pattern(rank == 0 ? "lockstep: %v" : fmt::format("lockstep: rank {}: %v", rank));
  // Sinks are added while other threads may log.
  auto sinks = std::make_shared<spdlog::sinks::dist_sink_mt>();
  sinks->add_sink(terminal);
  log_sinks() = sinks;
  auto logger = std::make_shared<spdlog::logger>("lockstep", sinks);
  logger->set_level(spdlog::level::info);
  logger->flush_on(spdlog::level::warn);
  // A log file on a full disk is not worth lines of its own: the terminal has the warnings.
  logger->set_error_handler([](const std::string&) {});
  spdlog::set_default_logger(logger);
}

void log_to_file(const std::filesystem::path& path) {
  std::error_code none;
  if (std::filesystem::is_symlink(path, none)) {
    fail_usage("{}: is a link; a log is written to no other place", path.string());
  }
  try {
    auto file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string());
    file->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
    log_sinks()->add_sink(file);
  } catch (const spdlog::spdlog_ex& error) {
    fail_internal("{}: cannot be opened for the log: {}", path.string(), error.what());
  }
}

}  // namespace lockstep
