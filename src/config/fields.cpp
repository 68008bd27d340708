// An experiment as a flat list of fields.

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <map>
#include <string>
#include <vector>

#include "config/write.h"
#include "lockstep/config/experiment.h"

namespace lockstep {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;

// `index` is -1 for a field that is no list.
std::string value_of(const Message& section, const FieldDescriptor& field, int index) {
  const auto& reflection = *section.GetReflection();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    return index < 0 ? reflection.GetString(section, &field)
                     : reflection.GetRepeatedString(section, &field, index);
  }
  std::string text;
  TextFormat::PrintFieldValueToString(section, &field, index, &text);
  return text;
}

void add_fields(const Message& section, const std::string& prefix,
                std::map<std::string, std::string>& values) {
  const auto& reflection = *section.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(section, &fields);
  if (fields.empty() && !prefix.empty()) values[prefix] = "{}";
  for (const FieldDescriptor* field : fields) {
    const std::string path = prefix.empty() ? field->name() : prefix + "." + field->name();
    const bool is_section = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (!field->is_repeated()) {
      if (is_section) {
        add_fields(reflection.GetMessage(section, field), path, values);
      } else {
        values[path] = value_of(section, *field, -1);
      }
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(section, field); ++i) {
      const std::string element = path + "[" + std::to_string(i) + "]";
      if (is_section) {
        add_fields(reflection.GetRepeatedMessage(section, field, i), element, values);
      } else {
        values[element] = value_of(section, *field, i);
      }
    }
  }
}

}  // namespace

std::map<std::string, std::string> fields_of(const Experiment& experiment) {
  std::map<std::string, std::string> values;
  add_fields(write_experiment(experiment), "", values);
  return values;
}

}  // namespace lockstep
