#include "lockstep/core/output.h"

#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "lockstep/core/error.h"

namespace lockstep {

void ignore_output_signals() {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
}

void put(std::string_view text, std::FILE* stream) {
  if (std::ferror(stream) != 0) return;
  const bool written = std::fwrite(text.data(), 1, text.size(), stream) == text.size();
  if (written && std::fflush(stream) == 0) return;
  spdlog::warn("output: {}; the training goes on without it", std::strerror(errno));
}

void check_output() {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  fail_internal("standard output: {}", errno != 0 ? std::strerror(errno) : "could not be written");
}

void leave(int status) {
  std::fflush(nullptr);
  ::_exit(status);
}

}  // namespace lockstep
