// Cells of text tables.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/core/text.h"
#include "lockstep/eval/evaluation.h"

namespace lockstep {

// Code points of UTF-8 text: its bytes without continuation bytes.
inline std::size_t text_width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
  }));
}

// `text` with spaces before it up to `width` code points.
inline std::string aligned_right(std::string_view text, std::size_t width) {
  const std::size_t have = text_width(text);
  return std::string(have < width ? width - have : 0, ' ').append(text);
}

// The names of the classes, fit for a terminal.
inline std::vector<std::string> printable_names(const Evaluation& evaluation) {
  std::vector<std::string> names;
  for (const std::string& name : evaluation.class_names) names.push_back(printable(name));
  return names;
}

}  // namespace lockstep
