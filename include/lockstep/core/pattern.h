// Patterns of names: a `*` stands for any characters, dots among them, or for none, a `?` for one.
// Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lockstep {

// `to` with each of its stars replaced by what that of `from` in the same place stands for in
// `name`, each of which is as short as can be; nothing where `from` is for other names. `to` has
// no more stars than `from`.
std::optional<std::string> rename_by(std::string_view from, std::string_view to,
                                     std::string_view name);

// The whole name.
bool matches(std::string_view pattern, std::string_view name);

// The whole name, or its beginning up to a dot: "3.conv" stands for "3.conv.weight".
bool stands_for(std::string_view pattern, std::string_view name);

// Whether a list of patterns chooses a name: the last one that stands for it decides. One that
// begins with `!` takes names out again.
bool chooses(std::span<const std::string> patterns, std::string_view name);

}  // namespace lockstep
