#include "config/encoding.h"

#include <nlohmann/json.hpp>
#include <string>

#include "config/visit_fields.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

bool is_utf8(const std::string& text) {
  try {
    static_cast<void>(nlohmann::json(text).dump());
    return true;
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

}  // namespace

void check_encoding(const Message& experiment) {
  visit_fields(experiment, nullptr, [](const PresentField& present) {
    using Field = google::protobuf::FieldDescriptor;
    if (present.field.cpp_type() != Field::CPPTYPE_STRING) return;
    if (!is_utf8(present.value())) fail_usage("{}: not UTF-8", present.path);
  });
}

}  // namespace lockstep
