// The words of an enum in experiments' text: its enumerators' names, so that kLeakyRelu is
// LEAKY_RELU. Enumerators count from 0.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// "kLeakyRelu"; empty where no enumerator has the value. The compilers' text of this
// function ends "Enum::kLeakyRelu]", or "(Enum)7]" for what is no enumerator.
template <auto value>
constexpr std::string_view enumerator_name() {
  std::string_view text = __PRETTY_FUNCTION__;
#ifdef __clang__
  text.remove_suffix(1);
#else
  text = text.substr(0, text.find_first_of(";]", text.find("value = ")));
#endif
  text.remove_prefix(text.rfind(':') + 1);
  return text.starts_with('k') ? text : std::string_view();
}

inline std::string word_of(std::string_view enumerator) {
  std::string word;
  for (const char c : enumerator.substr(1)) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && !word.empty()) word += '_';
    word += upper || (c >= '0' && c <= '9') ? c : static_cast<char>(c - 'a' + 'A');
  }
  return word;
}

template <class Enum, int value = 0>
void add_words(std::vector<std::string>& words) {
  constexpr std::string_view kName = enumerator_name<static_cast<Enum>(value)>();
  if constexpr (!kName.empty()) {
    words.push_back(word_of(kName));
    add_words<Enum, value + 1>(words);
  }
}

// In the order of the enumerators.
template <class Enum>
const std::vector<std::string>& words_of() {
  static const std::vector<std::string> words = [] {
    std::vector<std::string> all;
    add_words<Enum>(all);
    return all;
  }();
  return words;
}

}  // namespace lockstep
