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

std::string suggestion(std::string_view seen, const std::vector<std::string>& known) {
  if (known.empty()) return {};
  return fmt::format("{} (valid: {})", did_you_mean(seen, known), fmt::join(known, ", "));
}

}  // namespace lockstep
