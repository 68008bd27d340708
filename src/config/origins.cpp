// An experiment's text with the origin of each value as a comment.

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

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

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// Where fields and sections come from, by path; one that is absent has its default.
using Origins = std::map<std::string, std::string>;

constexpr const char* kOverride = "--set";
constexpr std::size_t kWidestAligned = 56;  // columns of text before the comments

bool is_at_or_below(std::string_view path, std::string_view section) {
  if (!path.starts_with(section)) return false;
  return path.size() == section.size() || path[section.size()] == '.' ||
         path[section.size()] == '[';
}

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

// Knows the path of each line of an experiment's text, one line after the other.
class LinePaths {
 public:
  LinePaths() { sections_.push_back({"", &experiment_grammar()}); }

  // The path of the field or section of `line`; empty for a closing brace.
  std::string next(std::string_view line) {
    line.remove_prefix(line.find_first_not_of(' '));
    if (line == "}") {
      sections_.pop_back();
      return {};
    }
    const Section& around = sections_.back();
    const std::string name(line.substr(0, line.find_first_of(": ")));
    const FieldDescriptor& field = *around.type->FindFieldByName(name);
    std::string path = around.path.empty() ? name : around.path + "." + name;
    if (field.is_repeated()) path += fmt::format("[{}]", seen_[path]++);
    if (line.ends_with('{')) sections_.push_back({path, field.message_type()});
    return path;
  }

 private:
  struct Section {
    std::string path;
    const Descriptor* type;
  };
  std::vector<Section> sections_;
  std::map<std::string, int> seen_;  // elements so far, by the list's path
};

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
  const std::string text = to_text(load_experiment(file, overrides));
  const Origins origins = find_origins(file, overrides);
  std::size_t width = 0;
  for (const std::string_view line : lines_of(text)) {
    if (line.size() <= kWidestAligned) width = std::max(width, line.size());
  }
  LinePaths paths;
  std::string commented;
  for (const std::string_view line : lines_of(text)) {
    const std::string path = paths.next(line);
    if (path.empty()) {
      commented += fmt::format("{}\n", line);
      continue;
    }
    const auto origin = origins.find(path);
    commented += fmt::format("{:<{}}  # {}\n", line, width,
                             origin == origins.end() ? "default" : origin->second);
  }
  return commented;
}

}  // namespace lockstep
