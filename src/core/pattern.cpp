#include "lockstep/core/pattern.h"

#include <vector>

namespace lockstep {

namespace {

// What each star stands for, or nothing. Only the last star seen may still have to take more: what
// came before it was found as early as can be.
std::optional<std::vector<std::string_view>> parts_of(std::string_view pattern,
                                                      std::string_view name) {
  struct Star {
    std::size_t at;     // in the pattern
    std::size_t first;  // of its part of the name
    std::size_t last;
  };
  std::vector<Star> stars;
  std::size_t p = 0;
  std::size_t n = 0;
  while (n < name.size() || p < pattern.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      stars.push_back({p++, n, n});
    } else if (p < pattern.size() && n < name.size() &&
               (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (!stars.empty() && stars.back().last < name.size()) {
      n = ++stars.back().last;
      p = stars.back().at + 1;
    } else {
      return std::nullopt;
    }
  }
  std::vector<std::string_view> parts;
  for (const Star& star : stars) parts.push_back(name.substr(star.first, star.last - star.first));
  return parts;
}

}  // namespace

std::optional<std::string> rename_by(std::string_view from, std::string_view to,
                                     std::string_view name) {
  const auto parts = parts_of(from, name);
  if (!parts) return std::nullopt;
  std::string renamed;
  auto part = parts->begin();
  for (const char c : to) {
    if (c == '*' && part != parts->end()) {
      renamed += *part++;
    } else {
      renamed += c;
    }
  }
  return renamed;
}

bool matches(std::string_view pattern, std::string_view name) {
  return parts_of(pattern, name).has_value();
}

bool stands_for(std::string_view pattern, std::string_view name) {
  if (matches(pattern, name)) return true;
  for (std::size_t dot = name.find('.'); dot != std::string_view::npos;
       dot = name.find('.', dot + 1)) {
    if (matches(pattern, name.substr(0, dot))) return true;
  }
  return false;
}

bool chooses(std::span<const std::string> patterns, std::string_view name) {
  bool chosen = false;
  for (const std::string_view pattern : patterns) {
    const bool takes_out = pattern.starts_with('!');
    if (stands_for(pattern.substr(takes_out ? 1 : 0), name)) chosen = !takes_out;
  }
  return chosen;
}

}  // namespace lockstep
