// The fields that are present in a message, with their paths.
#pragma once

#include <google/protobuf/text_format.h>

#include <functional>
#include <string>
#include <string_view>

#include "config/grammar.h"

namespace lockstep {

struct PresentField {
  std::string path;  // as --set names it
  const Message& section;
  const google::protobuf::FieldDescriptor& field;
  int index;  // -1 where the field is no list
  int line;   // in the text, from 0; -1 where that is not known

  // Null for a value.
  const Message* as_section() const;
  // As a text; strings without quotes.
  std::string value() const;
};

using Locations = google::protobuf::TextFormat::ParseInfoTree;

// Visits every value and section in the order of the text, sections before their fields.
// `locations` may be null.
void visit_fields(const Message& message, const Locations* locations,
                  const std::function<void(const PresentField&)>& visit);

// Whether a path is that of the section or of what stands in it.
bool is_at_or_below(std::string_view path, std::string_view section);

}  // namespace lockstep
