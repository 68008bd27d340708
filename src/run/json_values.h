// Values of JSON objects that others may have written: what is of another kind is not there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace lockstep {

using Json = nlohmann::ordered_json;

// The object in a text or a file; an empty one where there is none.
Json parse_object(const std::string& text);
Json read_object(const std::filesystem::path& path);

double number(const Json& object, const char* key);              // NaN without one
std::int64_t whole_number(const Json& object, const char* key);  // 0 without one
std::string text(const Json& object, const char* key);           // empty without one

}  // namespace lockstep
