#include "lockstep/callbacks/progress_output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace lockstep {

namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

}  // namespace

int terminal_columns(std::FILE* stream) {
  ::winsize size{};
  const int descriptor = ::fileno(stream);
  if (descriptor < 0 || ::ioctl(descriptor, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

ProgressOutput detect_progress_output(std::FILE* stream) {
  const int columns = terminal_columns(stream);
  if (columns == 0 || environment("TERM") == "dumb") return {stream, ProgressStyle::kPlain};
  const bool colour = environment("NO_COLOR").empty();
  return {stream, colour ? ProgressStyle::kColour : ProgressStyle::kLive, columns};
}

}  // namespace lockstep
