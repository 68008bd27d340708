// Files that a script of tests/support writes, and work within a limit of memory.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <new>
#include <string>

#include "data/samples.h"

namespace lockstep::samples {

// Runs a script of tests/support by the Python of the tests' environment, which has NumPy.
inline void run_script(const std::string& script, const std::string& words) {
  const std::string command = std::string(LOCKSTEP_TEST_PYTHON) + " " + LOCKSTEP_SOURCE_DIR +
                              "/tests/support/" + script + " " + words;
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

// What error_of(work) gives in a process that may take no more than `bytes` of memory beside
// what it has; "no memory" where that is not enough.
inline std::string error_within(std::size_t bytes, const std::function<void()>& work) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe(ends.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t limit = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + bytes;
    const ::rlimit most = {limit, limit};
    std::string text = "no limit";
    if (::setrlimit(RLIMIT_AS, &most) == 0) {
      try {
        text = error_of(work);
      } catch (const std::bad_alloc&) {
        text = "no memory";
      }
    }
    const bool told = ::write(ends[1], text.data(), text.size()) >= 0;
    ::_exit(told ? 0 : 1);
  }
  ::close(ends[1]);
  std::string text(4096, '\0');
  const ssize_t got = ::read(ends[0], text.data(), text.size());
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return text;
}

}  // namespace lockstep::samples
