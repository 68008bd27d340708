// The table of options in the documentation.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "config/fields.h"
#include "config/words.h"

namespace lockstep {

namespace {

template <class T>
std::string type_words(const Traits& traits) {
  if (traits.told != nullptr) return traits.told;
  if constexpr (std::is_enum_v<T>) return fmt::format("`{}`", fmt::join(words_of<T>(), "` `"));
  if constexpr (std::is_same_v<T, bool>) return "boolean";
  if constexpr (std::is_same_v<T, std::string>) return "string";
  if constexpr (std::is_same_v<T, std::vector<std::string>>) return "list of strings";
  if constexpr (kIsList<T>) {
    return "list of numbers" + type_words<Element<T>>(traits).substr(std::string("number").size());
  }
  if constexpr (!std::is_arithmetic_v<T>) return "";
  const char* more = std::is_floating_point_v<T> ? "number " : "";
  if (!traits.has_low()) return std::is_floating_point_v<T> ? "number" : "whole number";
  if (!traits.has_high())
    return fmt::format("{}{} {}", more, traits.above_low ? ">" : "≥", traits.low);
  if (std::is_integral_v<T>) {
    if (traits.has_gap()) return fmt::format("0, or {} to {}", traits.low, traits.high);
    return fmt::format("{} to {}", traits.zero_too ? 0 : traits.low, traits.high);
  }
  return fmt::format("{}{}{}, {}{}", more, traits.above_low ? "in (" : "in [", traits.low,
                     traits.high, traits.below_high ? ")" : "]");
}

template <class T>
std::string default_words(const T& value, const Traits& traits) {
  if constexpr (kIsList<T>) return "none";
  bool allowed = !traits.required;
  if constexpr (std::is_arithmetic_v<T>) allowed = traits.allows(static_cast<double>(value));
  if (!allowed) return "required";
  if constexpr (std::is_enum_v<T>)
    return fmt::format("`{}`", words_of<T>()[static_cast<std::size_t>(value)]);
  if constexpr (std::is_same_v<T, std::string>) return fmt::format("`\"{}\"`", value);
  if constexpr (std::is_arithmetic_v<T>) return fmt::format("`{}`", value);
  return "";
}

// The visitor that writes a row for each field.
class Rows {
 public:
  // `list` is the type of the list whose element this is, if any.
  Rows(std::string path, std::string_view list, std::string& text)
      : path_(std::move(path)), list_(list), text_(text) {}

  template <class T>
  void operator()(const char* name, const T& value, const char* meaning,
                  const Traits& traits = {}) {
    add(name, type_words<T>(traits), default_words(value, traits), meaning);
  }

  template <class Body>
  void section(const char* name, const char* /*type*/, const Body& body) {
    Rows inner(path_ + name + ".", list_, text_);
    body(inner);
  }

  template <class T>
  void optional(const char* name, const char* type, std::optional<T>& /*member*/,
                const char* meaning) {
    add(name, "section", "off", meaning);
    T options;
    lockstep::section(*this, name, type, options);
  }

  template <class... T>
  void kinds(std::variant<T...>& member) {
    (kind<T>(std::holds_alternative<T>(member) ? "chosen" : "–"), ...);
  }

  template <class... T>
  void choice(const char* name, const char* type, std::variant<T...>& member) {
    section(name, type, [&member](Rows& inner) { inner.kinds(member); });
  }

  template <class... T>
  void list(const char* name, const char* type, std::vector<std::variant<T...>>& /*member*/,
            const char* meaning, const Traits& traits = {}) {
    add(name, fmt::format("list of {}s", name), traits.required ? "required" : "none", meaning);
    if (list_ == type) return;  // its kinds are being told
    Rows inner(fmt::format("{}{}[i].", path_, name), type, text_);
    (inner.kind<T>("–"), ...);
  }

  template <class T>
  void sections(const char* name, const char* /*type*/, std::vector<T>& /*member*/,
                const char* meaning, const Traits& traits = {}) {
    add(name, "list of sections", traits.required ? "required" : "none", meaning);
    Rows inner(fmt::format("{}{}[i].", path_, name), list_, text_);
    T element;
    fields(inner, element);
  }

 private:
  void add(const char* name, const std::string& type, const std::string& value,
           const char* meaning) {
    text_ += fmt::format("| `{}{}` | {} | {} | {} |\n", path_, name, type, value, meaning);
  }

  template <class T>
  void kind(const char* chosen) {
    if (std::is_empty_v<T>) {
      add(kChoice<T>.name, "section without fields", chosen, kChoice<T>.meaning);
    }
    T options;
    lockstep::section(*this, kChoice<T>.name, kChoice<T>.type, options);
  }

  std::string path_;  // empty, or ending with a dot
  std::string_view list_;
  std::string& text_;
};

}  // namespace

std::string options_table() {
  std::string text = "| path | type | default | meaning |\n|---|---|---|---|\n";
  Rows rows("", "", text);
  Experiment defaults;
  fields(rows, defaults);
  return text;
}

}  // namespace lockstep
