// Standard output of a training, which goes on where nobody reads it any more.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string_view>
#include <utility>

namespace lockstep {

// Local: a pipe without a reader and a file of the largest size allowed are errors of a write
// from now on, and no signals that end the process.
void ignore_output_signals();

// Local: writes and flushes. Where that fails, the log says so once and what is written to the
// stream later is lost.
void put(std::string_view text, std::FILE* stream);

template <typename... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  put(fmt::format(format, std::forward<Args>(args)...), stdout);
}

// Local: throws an Error (kInternal) where standard output could not be written, now or before.
void check_output();

// Local: ends the process with what was written, without what libraries do at their end:
// LibTorch takes each of its operators out of its tables again, which costs more time than
// many a command.
[[noreturn]] void leave(int status);

}  // namespace lockstep
