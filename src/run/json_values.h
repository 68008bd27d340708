// Values of JSON objects that others may have written: what is of another kind is not there.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "lockstep/core/files.h"

namespace lockstep {

using Json = nlohmann::ordered_json;

// The object in a text or a file; an empty one where there is none.
inline Json parse_object(const std::string& text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return json.is_object() ? json : Json::object();
}
inline Json read_object(const fs::path& path) {
  return fs::is_regular_file(path) ? parse_object(read_file(path)) : Json::object();
}

inline double number(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>()
                                                     : std::numeric_limits<double>::quiet_NaN();
}

inline std::int64_t whole_number(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

inline std::string text(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace lockstep
