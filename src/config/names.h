// The names that the grammar knows, for messages about names that it does not.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// The fields of a section, the values of an enum, in the grammar's order.
std::vector<std::string> field_names(const google::protobuf::Descriptor& section);
std::vector<std::string> value_names(const google::protobuf::EnumDescriptor& values);

// "a whole number of at most 2147483647" by the type of a field that is no enum.
std::string number_words(const google::protobuf::FieldDescriptor& field);

// "; did you mean "b"? (valid: a, b, c)", without the question where no known
// name is near, and empty where none is known.
std::string suggestion(std::string_view seen, const std::vector<std::string>& known);

}  // namespace lockstep
