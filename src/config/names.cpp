#include "config/names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lockstep/core/names.h"

namespace lockstep {

std::vector<std::string> field_names(const google::protobuf::Descriptor& section) {
  std::vector<std::string> names;
  for (int i = 0; i < section.field_count(); ++i) names.push_back(section.field(i)->name());
  return names;
}

std::vector<std::string> value_names(const google::protobuf::EnumDescriptor& values) {
  std::vector<std::string> names;
  for (int i = 0; i < values.value_count(); ++i) names.push_back(values.value(i)->name());
  return names;
}

std::string number_words(const google::protobuf::FieldDescriptor& field) {
  using google::protobuf::FieldDescriptor;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return "a whole number of at most 2147483647";
    case FieldDescriptor::CPPTYPE_UINT64:
      return "a whole number from 0 to 18446744073709551615";
    default:
      return "a number";
  }
}

std::string suggestion(std::string_view seen, const std::vector<std::string>& known) {
  if (known.empty()) return {};
  return fmt::format("{} (valid: {})", did_you_mean(seen, known), fmt::join(known, ", "));
}

}  // namespace lockstep
