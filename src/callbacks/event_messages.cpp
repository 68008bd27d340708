#include "callbacks/event_messages.h"

#include <array>
#include <bit>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

static_assert(std::endian::native == std::endian::little);

template <typename T>
std::string bytes_of(T value) {
  const auto bytes = std::bit_cast<std::array<char, sizeof(T)>>(value);
  return {bytes.begin(), bytes.end()};
}

// Protobuf's wire types.
enum class Wire : std::uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

std::string varint(std::uint64_t value) {
  std::string text;
  for (; value >= 0x80; value >>= 7U) text += static_cast<char>(value | 0x80U);
  return text + static_cast<char>(value);
}

std::string key(std::uint64_t field, Wire wire) {
  return varint(field << 3U | static_cast<std::uint64_t>(wire));
}

std::string field(std::uint64_t number, std::int64_t value) {
  return key(number, Wire::kVarint) + varint(static_cast<std::uint64_t>(value));
}

std::string field(std::uint64_t number, double value) {
  return key(number, Wire::kFixed64) + bytes_of(value);
}

std::string field(std::uint64_t number, float value) {
  return key(number, Wire::kFixed32) + bytes_of(value);
}

std::string field(std::uint64_t number, std::string_view content) {
  return key(number, Wire::kBytes) + varint(content.size()) + std::string(content);
}

// Event: wall_time 1, step 2, file_version 3, summary 5, session_log 7.
std::string event(double seconds, std::int64_t step) { return field(1, seconds) + field(2, step); }

std::int64_t big_endian(std::string_view bytes) {
  std::int64_t value = 0;
  for (const char each : bytes) value = value << 8 | static_cast<unsigned char>(each);
  return value;
}

// CRC-32C (Castagnoli), bits reflected.
constexpr std::array<std::uint32_t, 256> kCrcTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1U) != 0 ? crc >> 1U ^ 0x82F63B78U : crc >> 1U;
    table[byte] = crc;
  }
  return table;
}();

// A sum over bytes that hold such sums would be weak, so TFRecord turns and shifts it.
std::uint32_t masked_crc(std::string_view bytes) {
  std::uint32_t crc = ~0U;
  for (const char each : bytes) {
    crc = crc >> 8U ^ kCrcTable[(crc ^ static_cast<unsigned char>(each)) & 0xFFU];
  }
  return std::rotr(~crc, 15) + 0xA282EAD8U;
}

}  // namespace

std::string version_event(double seconds) {
  return field(1, seconds) + field(3, std::string_view("brain.Event:2"));
}

std::string restart_event(double seconds, std::int64_t step) {
  constexpr std::int64_t kStart = 1;
  return event(seconds, step) + field(7, std::string_view(field(1, kStart)));  // status 1
}

std::string summary_event(double seconds, std::int64_t step, std::string_view value) {
  return event(seconds, step) + field(5, std::string_view(field(1, value)));
}

// Summary.Value: tag 1, simple_value 2, image 4, tensor 8, metadata 9.
std::string scalar_value(std::string_view tag, float value) {
  return field(1, tag) + field(2, value);
}

std::string text_value(std::string_view tag, std::string_view text) {
  constexpr std::int64_t kString = 7;  // DataType DT_STRING
  // SummaryMetadata: plugin_data 1; PluginData: plugin_name 1. TensorProto: dtype 1,
  // tensor_shape 2, string_val 8; without dimensions the shape is that of a scalar.
  const std::string plugin = field(1, std::string_view("text"));
  const std::string tensor = field(1, kString) + field(2, std::string_view()) + field(8, text);
  return field(1, tag) + field(8, std::string_view(tensor)) +
         field(9, std::string_view(field(1, std::string_view(plugin))));
}

std::string image_value(std::string_view tag, std::string_view png) {
  // A PNG file begins with a signature of 8 bytes and the IHDR chunk: length and name
  // (4 bytes each), width and height.
  constexpr std::string_view kSignature = "\x89PNG\r\n\x1A\n";
  constexpr std::size_t kWidth = 16;
  constexpr std::size_t kHeight = 20;
  constexpr std::int64_t kRgba = 4;
  if (!png.starts_with(kSignature) || png.size() < kHeight + 4) {
    fail_internal("the picture \"{}\" for TensorBoard is not a PNG file", tag);
  }
  // Summary.Image: height 1, width 2, colorspace 3, encoded_image_string 4.
  const std::string image = field(1, big_endian(png.substr(kHeight, 4))) +
                            field(2, big_endian(png.substr(kWidth, 4))) + field(3, kRgba) +
                            field(4, png);
  return field(1, tag) + field(4, std::string_view(image));
}

std::string record_of(std::string_view event) {
  const std::string length = bytes_of(std::uint64_t{event.size()});
  return length + bytes_of(masked_crc(length)) + std::string(event) + bytes_of(masked_crc(event));
}

}  // namespace lockstep
