// The few messages of TensorFlow's event.proto, summary.proto and tensor.proto that an
// event file needs, in protobuf's wire format, and the framing of a record. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lockstep {

// `seconds` is since 1970. The first event of a file.
std::string version_event(double seconds);
// SessionLog START: readers forget events of `step` and later steps.
std::string restart_event(double seconds, std::int64_t step);
std::string summary_event(double seconds, std::int64_t step, std::string_view value);

// Values of a summary.
std::string scalar_value(std::string_view tag, float value);
std::string text_value(std::string_view tag, std::string_view text);
// `png` is a PNG file; an Error (1) for anything else.
std::string image_value(std::string_view tag, std::string_view png);

// An event as it stands in the file: length (8 bytes), masked CRC-32C of the length,
// event, masked CRC-32C of the event; all little-endian.
std::string record_of(std::string_view event);

}  // namespace lockstep
