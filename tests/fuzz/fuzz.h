// What the fuzz targets share. Each input must give a value, which the target then
// checks, or an Error that is fit for the user; anything else ends the process.
#pragma once

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include "lockstep/core/error.h"

namespace lockstep::fuzz {

// Ends the process; libFuzzer keeps the input.
[[noreturn]] inline void fail(const std::string& what) {
  fmt::print(stderr, "fuzz: {}\n", what);
  std::abort();
}

// Ends the process unless `a` is equal to `b`.
template <typename A, typename B>
void expect_equal(const A& a, const B& b, std::string_view what) {
  if (!(a == b)) fail(fmt::format("{} differ", what));
}

// The value of work(), or none where it throws an Error (2) of one line.
template <typename Work>
auto value_of(Work work) -> std::optional<decltype(work())> {
  try {
    return work();
  } catch (const Error& error) {
    const std::string_view message = error.what();
    const auto control = [](unsigned char c) { return c < 0x20 || c == 0x7F; };
    if (error.code() != ExitCode::kUsage || message.empty() ||
        std::any_of(message.begin(), message.end(), control)) {
      fail(fmt::format("an Error of code {}: {}", static_cast<int>(error.code()), message));
    }
    return std::nullopt;
  }
}

// A folder of this process in TMPDIR; tests/fuzz/run removes it.
inline const std::filesystem::path& scratch() {
  static const std::filesystem::path path = [] {
    std::string pattern = (std::filesystem::temp_directory_path() / "fuzz-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) fail("mkdtemp failed");
    return std::filesystem::path(pattern);
  }();
  return path;
}

// The path of a file of that content.
inline std::string scratch_file(const std::string& name, std::string_view content) {
  const std::filesystem::path path = scratch() / name;
  std::ofstream(path, std::ios::binary) << content;
  return path.string();
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace lockstep::fuzz
