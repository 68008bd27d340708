// What the bindings of settings are made of.
#pragma once

#include <type_traits>
#include <vector>

namespace lockstep {

// Above any sensible extent; keeps the rooms' products of extents in 64 bits.
inline constexpr int kMaxExtent = 65536;
inline constexpr int kMaxImageSide = 4096;
inline constexpr int kMaxChannels = 64;

// What a member holds several of, or itself.
template <class T>
struct ElementOf {
  using Type = T;
};
template <class T>
struct ElementOf<std::vector<T>> {
  using Type = T;
};
template <class T>
using Element = typename ElementOf<T>::Type;

template <class T>
inline constexpr bool kIsList = !std::is_same_v<T, Element<T>>;

// A member of a choice: its name in the text, its section's name in messages, and what it
// means where it has no fields.
struct Choice {
  const char* name;
  const char* type;
  const char* meaning = "";
};

template <class Options>
constexpr Choice kChoice = Options::has_no_choice;  // each member of a choice has its own

template <class Visit, class Options>
void section(Visit& visit, const char* name, const char* type, Options& options) {
  visit.section(name, type, [&options](auto& inner) { fields(inner, options); });
}

}  // namespace lockstep
