// The data section alone, as a user would write it.

#include <google/protobuf/util/message_differencer.h>

#include <string_view>
#include <vector>

#include "config/grammar.h"
#include "config/text.h"
#include "lockstep/config/experiment.h"

namespace lockstep {

namespace {

using google::protobuf::FieldDescriptor;

// What a reader wants to see even where it is the default.
bool is_always_told(const FieldDescriptor& field) {
  return field.name() == "shape" || field.name() == "classes";
}

// Removes the fields of `section` that have the values of `defaults`.
void remove_defaults(Message& section, const Message& defaults) {
  const auto& reflection = *section.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(section, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->is_repeated() || is_always_told(*field)) continue;
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Message* inner = reflection.MutableMessage(&section, field);
      remove_defaults(*inner, reflection.GetMessage(defaults, field));
      if (inner->ByteSizeLong() == 0) reflection.ClearField(&section, field);
      continue;
    }
    google::protobuf::util::MessageDifferencer differencer;
    if (differencer.CompareWithFields(section, defaults, {field}, {field})) {
      reflection.ClearField(&section, field);
    }
  }
}

}  // namespace

std::string data_section(const DataOptions& options) {
  Experiment experiment;
  const auto defaults = write_experiment(experiment);
  experiment.data = options;
  const auto written = write_experiment(experiment);
  const FieldDescriptor* data = written->GetDescriptor()->FindFieldByName("data");
  const auto only = empty_message();
  only->GetReflection()
      ->MutableMessage(only.get(), data)
      ->CopyFrom(written->GetReflection()->GetMessage(*written, data));
  remove_defaults(*only->GetReflection()->MutableMessage(only.get(), data),
                  defaults->GetReflection()->GetMessage(*defaults, data));
  return print_text(*only);
}

}  // namespace lockstep
