#include "config/encoding.h"

#include <google/protobuf/message.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool is_utf8(const std::string& text) {
  try {
    static_cast<void>(nlohmann::json(text).dump());
    return true;
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

void check_text(const std::string& text, const std::string& path) {
  if (!is_utf8(text)) fail_usage("{}: not UTF-8", path);
}

void check_message(const Message& message, const std::string& before) {
  const auto& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const bool is_text = field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
    const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    const std::string path = before + field->name();
    if (!field->is_repeated()) {
      if (is_text) check_text(reflection.GetString(message, field), path);
      if (is_message) check_message(reflection.GetMessage(message, field), path + ".");
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      const std::string place = fmt::format("{}[{}]", path, i);
      if (is_text) check_text(reflection.GetRepeatedString(message, field, i), place);
      if (is_message) {
        check_message(reflection.GetRepeatedMessage(message, field, i), place + ".");
      }
    }
  }
}

}  // namespace

void check_encoding(const proto::Experiment& experiment) { check_message(experiment, ""); }

}  // namespace lockstep
