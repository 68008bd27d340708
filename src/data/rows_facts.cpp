#include "data/rows_facts.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

using Json = nlohmann::json;

constexpr int kDepth = 2;  // a list or an object of texts, in the outermost object

constexpr std::string_view kByteName = "byte";
constexpr std::string_view kFloatName = "float";

[[noreturn]] void fail_facts(std::string_view what) {
  fail_usage("what it says of its rows is damaged: {}", what);
}

// Deep nesting would take memory before it is refused; the library drops all but one of two
// values of one key.
Json parse(std::string_view text) {
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    const bool opens =
        event == Json::parse_event_t::array_start || event == Json::parse_event_t::object_start;
    if (opens && depth >= kDepth) fail_facts("it is nested too deep");
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key &&
        !keys.back().insert(parsed.get<std::string>()).second) {
      fail_facts("a key stands there twice");
    }
    return true;
  };
  return Json::parse(text, watch);
}

int extent_of(const Json& json, const char* key) {
  const Json& value = json.at(key);
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() - 1 >= kMostRowExtent) {
    fail_facts(fmt::format("\"{}\" is no whole number from 1 to {}", key, kMostRowExtent));
  }
  return value.get<int>();
}

PixelType type_of(const std::string& name) {
  if (name != kByteName && name != kFloatName) fail_facts("its pixels are neither byte nor float");
  return name == kByteName ? PixelType::kByte : PixelType::kFloat;
}

// A fault of the library's own range or of a float's becomes an infinity.
float value_of(const Json& value) {
  const auto number = static_cast<float>(value.get<double>());
  if (!std::isfinite(number)) fail_facts("a pixel's value is not finite");
  return number;
}

RowsFacts read(const Json& json) {
  RowsFacts facts;
  facts.shape = {extent_of(json, "height"), extent_of(json, "width"), extent_of(json, "channels")};
  facts.type = type_of(json.at("pixels").get<std::string>());
  facts.range = {value_of(json.at("lowest")), value_of(json.at("highest"))};
  if (facts.range.lowest > facts.range.highest) fail_facts("its range of values is empty");
  facts.label_names = json.at("label_names").get<std::vector<std::string>>();
  facts.source = json.at("source").get<std::string>();
  facts.source_digest = json.at("source_digest").get<std::string>();
  facts.made_with = json.at("made_with").get<std::map<std::string, std::string>>();
  constexpr std::size_t kKeys = 10;
  if (json.size() != kKeys) fail_facts("it has other keys than it should");
  const std::set<std::string> distinct(facts.label_names.begin(), facts.label_names.end());
  if (distinct.size() != facts.label_names.size()) fail_facts("two labels have one name");
  return facts;
}

// Of the user's texts, those of labels alone must come back as they are.
void check_name(const std::string& name) {
  try {
    static_cast<void>(Json(name).dump());
  } catch (const Json::exception&) {
    fail_usage("the label \"{}\" is not UTF-8", name);
  }
}

}  // namespace

std::uint64_t RowsFacts::row_bytes() const {
  return static_cast<std::uint64_t>(shape.height) * static_cast<std::uint64_t>(shape.width) *
         static_cast<std::uint64_t>(shape.channels) * bytes_of(type);
}

std::string to_json(const RowsFacts& facts) {
  for (const std::string& name : facts.label_names) check_name(name);
  nlohmann::ordered_json json;
  json["height"] = facts.shape.height;
  json["width"] = facts.shape.width;
  json["channels"] = facts.shape.channels;
  json["pixels"] = facts.type == PixelType::kByte ? kByteName : kFloatName;
  json["lowest"] = facts.range.lowest;
  json["highest"] = facts.range.highest;
  json["label_names"] = facts.label_names;
  json["source"] = facts.source;
  json["source_digest"] = facts.source_digest;
  json["made_with"] = facts.made_with;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

RowsFacts rows_facts_of(std::string_view json) {
  try {
    const Json parsed = parse(json);
    if (!parsed.is_object()) fail_facts("it is not a JSON object");
    return read(parsed);
  } catch (const Json::exception&) {
    fail_facts("it is not the JSON that it must be");
  }
}

}  // namespace lockstep
