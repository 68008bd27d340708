// Base64 (RFC 4648, section 4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lockstep {

// The bytes that `text` stands for; nothing when it is not base64 with its padding.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace lockstep
