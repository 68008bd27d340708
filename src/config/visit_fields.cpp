#include "config/visit_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

namespace lockstep {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::TextFormat;
using Visit = std::function<void(const PresentField&)>;

// Of values in brackets the parser tells one place: the first one's.
int line_of(const Locations& locations, const FieldDescriptor* field, int index) {
  const int line = locations.GetLocation(field, index).line;
  return line >= 0 || index < 0 ? line : locations.GetLocation(field, 0).line;
}

void visit_section(const Message& section, const std::string& before, const Locations* locations,
                   const Visit& visit) {
  std::vector<const FieldDescriptor*> fields;
  section.GetReflection()->ListFields(section, &fields);
  for (const FieldDescriptor* field : fields) {
    const bool is_list = field->is_repeated();
    const int count = is_list ? section.GetReflection()->FieldSize(section, field) : 1;
    for (int i = 0; i < count; ++i) {
      const int index = is_list ? i : -1;
      const std::string path = before + field->name() + (is_list ? fmt::format("[{}]", i) : "");
      const int line = locations == nullptr ? -1 : line_of(*locations, field, index);
      const PresentField present{path, section, *field, index, line};
      visit(present);
      const Message* inner = present.as_section();
      if (inner == nullptr) continue;
      visit_section(*inner, path + ".",
                    locations == nullptr ? nullptr : locations->GetTreeForNested(field, index),
                    visit);
    }
  }
}

int values_in(const Message& section, const FieldDescriptor* field) {
  const auto& reflection = *section.GetReflection();
  if (field->is_repeated()) return reflection.FieldSize(section, field);
  return reflection.HasField(section, field) ? 1 : 0;
}

void add_differences(const Message& a, const Message& b, const std::string& before,
                     std::vector<std::string>& paths) {
  for (int i = 0; i < a.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = a.GetDescriptor()->field(i);
    const auto [least, most] = std::minmax({values_in(a, field), values_in(b, field)});
    for (int k = 0; k < most; ++k) {
      const bool is_list = field->is_repeated();
      const std::string path = before + field->name() + (is_list ? fmt::format("[{}]", k) : "");
      const PresentField of_a{path, a, *field, is_list ? k : -1, -1};
      const PresentField of_b{path, b, *field, is_list ? k : -1, -1};
      if (k < least && of_a.as_section() != nullptr) {
        add_differences(*of_a.as_section(), *of_b.as_section(), path + ".", paths);
      } else if (k >= least || of_a.value() != of_b.value()) {
        paths.push_back(path);
      }
    }
  }
}

}  // namespace

const Message* PresentField::as_section() const {
  if (field.message_type() == nullptr) return nullptr;
  const auto& reflection = *section.GetReflection();
  return index < 0 ? &reflection.GetMessage(section, &field)
                   : &reflection.GetRepeatedMessage(section, &field, index);
}

std::string PresentField::value() const {
  const auto& reflection = *section.GetReflection();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    return index < 0 ? reflection.GetString(section, &field)
                     : reflection.GetRepeatedString(section, &field, index);
  }
  std::string text;
  TextFormat::PrintFieldValueToString(section, &field, index, &text);
  return text;
}

void visit_fields(const Message& message, const Locations* locations, const Visit& visit) {
  visit_section(message, "", locations, visit);
}

bool is_at_or_below(std::string_view path, std::string_view section) {
  if (!path.starts_with(section)) return false;
  return path.size() == section.size() || path[section.size()] == '.' ||
         path[section.size()] == '[';
}

std::vector<std::string> differing_fields(const Experiment& a, const Experiment& b) {
  std::vector<std::string> paths;
  add_differences(*write_experiment(a), *write_experiment(b), "", paths);
  return paths;
}

std::map<std::string, std::string> fields_of(const Experiment& experiment) {
  std::map<std::string, std::string> values;
  visit_fields(*write_experiment(experiment), nullptr, [&values](const PresentField& present) {
    const Message* inner = present.as_section();
    if (inner == nullptr) {
      values[present.path] = present.value();
    } else if (inner->ByteSizeLong() == 0) {
      values[present.path] = "{}";
    }
  });
  return values;
}

}  // namespace lockstep
