#include "config/error_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "config/override.h"
#include "config/text.h"
#include "config/visit_fields.h"

namespace lockstep {

namespace {

bool is_of_path(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '[' ||
         c == ']';
}

// "model.layer[3].conv.filters" is one, a file's name hardly.
bool is_field(const std::string& path) {
  const google::protobuf::Descriptor* section = &experiment_grammar();
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string step = path.substr(begin, end - begin);
    const auto* field =
        section == nullptr ? nullptr : section->FindFieldByName(step.substr(0, step.find('[')));
    if (field == nullptr) return false;
    section = field->message_type();
    begin = end + 1;
  }
  return true;
}

// The section or list that the path's field or element stands in; empty for the experiment.
std::string around(const std::string& path) {
  const std::size_t last = path.find_last_of(".[");
  return last == std::string::npos ? "" : path.substr(0, last);
}

// From 1; 0 where an override gave what the error is about, or nothing of it is written.
int line_of(const std::string& field, const std::string& text, const std::string& origin,
            std::span<const std::string> overrides) {
  Locations locations;
  const std::unique_ptr<Message> message = parse_text(text, origin, &locations);
  std::map<std::string, int> lines;
  visit_fields(*message, &locations,
               [&lines](const PresentField& present) { lines[present.path] = present.line + 1; });
  std::vector<std::string> changed;
  for (const std::string& each : overrides) changed.push_back(apply_override(each, *message));
  const auto is_any_changed = [&](const auto& is_so) {
    return std::any_of(changed.begin(), changed.end(), is_so);
  };
  for (std::string path = field; !path.empty(); path = around(path)) {
    if (is_any_changed([&](const auto& each) { return is_at_or_below(path, each); })) return 0;
    for (const std::string& written : {path, path + "[0]"}) {
      if (const auto found = lines.find(written); found != lines.end()) return found->second;
    }
    if (is_any_changed([&](const auto& each) { return is_at_or_below(each, path); })) return 0;
  }
  return 0;
}

}  // namespace

std::string field_of_message(const std::string& message) {
  const auto end = std::find_if_not(message.begin(), message.end(), is_of_path);
  if (end != message.end() && *end != ' ' && *end != ':') return "";
  const std::string path(message.begin(), end);
  return is_field(path) ? path : "";
}

Error at_line_of_text(const Error& error, const std::string& text, const std::string& origin,
                      std::span<const std::string> overrides) {
  const std::string field = field_of_message(error.what());
  const int line = field.empty() ? 0 : line_of(field, text, origin, overrides);
  return error.within(fmt::format("{}{}{}", origin, line > 0 ? fmt::format(":{}", line) : "",
                                  overrides.empty() ? "" : " with its overrides"));
}

}  // namespace lockstep
