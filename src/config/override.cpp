#include "config/override.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <charconv>
#include <span>
#include <string_view>
#include <vector>

#include "config/names.h"
#include "config/text.h"
#include "config/text_error.h"
#include "lockstep/core/error.h"
#include "lockstep/core/names.h"

namespace lockstep {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::TextFormat;

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::size_t first = 0;
  for (std::size_t end = text.find(separator); end != std::string_view::npos;
       end = text.find(separator, first)) {
    parts.emplace_back(text.substr(first, end - first));
    first = end + 1;
  }
  parts.emplace_back(text.substr(first));
  return parts;
}

// "model.layer[0].conv" and "model.layer.0.conv" to model, layer, 0, conv.
std::vector<std::string> path_steps(const std::string& path) {
  std::vector<std::string> steps;
  for (const std::string& part : split(path, '.')) {
    const std::size_t bracket = part.find('[');
    if (bracket == std::string::npos || part.back() != ']') {
      steps.push_back(part);
      continue;
    }
    steps.push_back(part.substr(0, bracket));
    steps.push_back(part.substr(bracket + 1, part.size() - bracket - 2));
  }
  return steps;
}

const FieldDescriptor& find_field(const Message& section, const std::string& section_path,
                                  const std::string& name) {
  const FieldDescriptor* field = section.GetDescriptor()->FindFieldByName(name);
  if (field == nullptr) {
    fail_usage("{} has no field \"{}\"{}", section_path.empty() ? "an experiment" : section_path,
               name, suggestion(name, field_names(*section.GetDescriptor())));
  }
  return *field;
}

int parse_index(const std::string& text, const std::string& list_path, int size) {
  int index = -1;
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, index);
  if (problem != std::errc() || stop != end || index < 0 || index >= size) {
    fail_usage("{} has no element \"{}\"; it holds {} elements, counted from 0", list_path, text,
               size);
  }
  return index;
}

std::string expected(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return fmt::format("one of {}", fmt::join(value_names(*field.enum_type()), ", "));
    default:
      return number_words(field);
  }
}

void set_strings(Message& section, const FieldDescriptor& field, const std::string& value) {
  if (!field.is_repeated()) {
    section.GetReflection()->SetString(&section, &field, value);
    return;
  }
  for (const std::string& each : split(value, ',')) {
    section.GetReflection()->AddString(&section, &field, each);
  }
}

// A section as in the file: "{ patience: 3 }".
void set_section(Message& section, const FieldDescriptor& field, const std::string& value) {
  FirstProblem problem;
  TextFormat::Parser parser;
  parser.SetRecursionLimit(kMostNested);
  parser.RecordErrorsTo(&problem);
  if (parser.ParseFieldValueFromString(value, &field, &section) && problem.message().empty())
    return;
  if (problem.message().empty() || !value.starts_with('{')) {
    fail_usage("{} is a section; name one of its fields{}, or write it whole as {{...}}",
               field.name(), suggestion(value, field_names(*field.message_type())));
  }
  fail_usage("{}", problem.explanation(value));
}

// A leading 0 means 8 to the parser, and 10 to whoever writes it.
bool is_octal(std::string_view value) {
  const std::size_t first = value.starts_with('-') ? 1 : 0;
  return value.size() > first + 1 && value[first] == '0' && value[first + 1] >= '0' &&
         value[first + 1] <= '9';
}

void set_number(Message& section, const FieldDescriptor& field, const std::string& value) {
  // The parser goes on after a number that is cut short, as 1e-, and takes an octal one.
  FirstProblem problem;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&problem);
  const bool parsed = parser.ParseFieldValueFromString(value, &field, &section);
  if (parsed && problem.message().empty() && !is_octal(value)) return;
  const bool named = field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM;
  fail_usage("expected {}, got \"{}\"{}", expected(field), value,
             named ? did_you_mean(value, value_names(*field.enum_type())) : "");
}

void set_numbers(Message& section, const FieldDescriptor& field, const std::string& value) {
  for (const std::string& each : split(value, ',')) set_number(section, field, each);
}

void set_field(Message& section, const FieldDescriptor& field, const std::string& value) {
  section.GetReflection()->ClearField(&section, &field);
  if (value.empty()) return;
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    set_strings(section, field, value);
  } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    set_section(section, field, value);
  } else if (field.is_repeated()) {
    set_numbers(section, field, value);
  } else {
    set_number(section, field, value);
  }
}

// `section` is at `section_path`; `steps` lead from it to the field, whose path is
// returned.
std::string set_path(Message& section, const std::string& section_path,
                     std::span<const std::string> steps, const std::string& value) {
  const FieldDescriptor& field = find_field(section, section_path, steps[0]);
  const auto& reflection = *section.GetReflection();
  const std::string path = section_path + (section_path.empty() ? "" : ".") + steps[0];
  const bool holds_sections = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  if (holds_sections && field.is_repeated()) {
    const int size = reflection.FieldSize(section, &field);
    if (steps.size() < 3) {
      fail_usage("{0} is a list; name a field of one of its elements, as in {0}[0].{1}", path,
                 field.message_type()->field(0)->name());
    }
    const int index = parse_index(steps[1], path, size);
    return set_path(*reflection.MutableRepeatedMessage(&section, &field, index),
                    fmt::format("{}[{}]", path, index), steps.subspan(2), value);
  }
  if (steps.size() == 1) {
    set_field(section, field, value);
    return path;
  }
  if (holds_sections) {
    return set_path(*reflection.MutableMessage(&section, &field), path, steps.subspan(1), value);
  }
  fail_usage("{} is a single value; it has no field \"{}\"", path, steps[1]);
}

}  // namespace

std::string apply_override(const std::string& text, Message& experiment) {
  try {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) fail_usage("expected PATH=VALUE, as in training.epochs=3");
    const std::vector<std::string> steps = path_steps(text.substr(0, equals));
    return set_path(experiment, "", steps, text.substr(equals + 1));
  } catch (const Error& error) {
    throw error.within("--set " + text);
  }
}

}  // namespace lockstep
