// An experiment's text with the origin of each value as a comment.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/grammar.h"
#include "config/override.h"
#include "config/text.h"
#include "config/visit_fields.h"
#include "lockstep/config/experiment.h"
#include "lockstep/core/files.h"

namespace lockstep {

namespace {

// Where fields and sections come from, by path; one that is absent has its default.
using Origins = std::map<std::string, std::string>;

constexpr const char* kOverride = "--set";
constexpr std::size_t kWidestAligned = 56;  // columns of text before the comments

Origins find_origins(const std::string& file, std::span<const std::string> overrides) {
  Locations locations;
  const std::unique_ptr<Message> message = parse_text(read_file(file), file, &locations);
  const std::string name = fs::path(file).filename().string();
  Origins origins;
  visit_fields(*message, &locations, [&](const PresentField& present) {
    origins[present.path] = fmt::format("{}:{}", name, present.line + 1);
  });
  for (const std::string& override : overrides) {
    const std::string changed = apply_override(override, *message);
    Origins now;
    visit_fields(*message, nullptr, [&](const PresentField& present) {
      const auto before = origins.find(present.path);
      const bool is_new = before == origins.end() || is_at_or_below(present.path, changed);
      now[present.path] = is_new ? kOverride : before->second;
    });
    origins = std::move(now);
  }
  return origins;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t first = 0; first < text.size();) {
    const std::size_t end = text.find('\n', first);
    lines.push_back(text.substr(first, end - first));
    first = end + 1;
  }
  return lines;
}

}  // namespace

std::string to_text_with_origins(const std::string& file, std::span<const std::string> overrides) {
  const std::unique_ptr<Message> message =
      write_experiment(load_experiment(file, overrides, Check::kWithoutData));
  const std::string text = print_text(*message);
  const Origins origins = find_origins(file, overrides);
  std::vector<std::string> paths;  // of the lines that are no closing braces
  visit_fields(*message, nullptr,
               [&paths](const PresentField& present) { paths.push_back(present.path); });
  std::size_t width = 0;
  for (const std::string_view line : lines_of(text)) {
    if (line.size() <= kWidestAligned) width = std::max(width, line.size());
  }
  std::string commented;
  auto path = paths.begin();
  for (const std::string_view line : lines_of(text)) {
    if (line.ends_with('}')) {
      commented += fmt::format("{}\n", line);
      continue;
    }
    const auto origin = origins.find(*path++);
    commented += fmt::format("{:<{}}  # {}\n", line, width,
                             origin == origins.end() ? "default" : origin->second);
  }
  return commented;
}

}  // namespace lockstep
