// Every parser of pixels that this processor can run against a simple one, in memory
// that ends where their reads must.

#include "data/pixel_fields.h"

#include <charconv>
#include <vector>

#include "fuzz/fuzz.h"

namespace lockstep::fuzz {

namespace {

// What a parser gives: how far it came, 0 for a fault, and the pixels.
struct Parsed {
  std::size_t bytes = 0;
  std::vector<std::uint8_t> pixels;

  bool operator==(const Parsed&) const = default;
};

Parsed parse_simply(std::string_view text, std::size_t count, char separator) {
  Parsed parsed;
  while (parsed.pixels.size() < count) {
    const std::string_view field =
        text.substr(parsed.bytes, text.find(separator, parsed.bytes) - parsed.bytes);
    unsigned value = 256;
    const auto [end, fault] = std::from_chars(field.data(), field.data() + field.size(), value);
    const bool whole =
        end == field.data() + field.size() && parsed.bytes + field.size() < text.size();
    if (fault != std::errc() || !whole || field.size() > 3 || value > 255) return {};
    parsed.pixels.push_back(static_cast<std::uint8_t>(value));
    parsed.bytes += field.size() + 1;
  }
  return parsed;
}

Parsed parse(PixelParser parser, std::string_view text, std::size_t count) {
  // A line's end before the text, zeros behind it.
  std::vector<char> memory(kPixelLookBackBytes + count * kMostPixelBytes + kPixelLookAheadBytes);
  std::fill_n(memory.begin(), kPixelLookBackBytes, '\n');
  char* const begin = memory.data() + kPixelLookBackBytes;
  text.copy(begin, memory.size() - kPixelLookBackBytes);
  Parsed parsed;
  parsed.pixels.resize(count);
  const char* const end = parser(begin, parsed.pixels.data(), static_cast<int>(count));
  if (end == nullptr) return {};
  parsed.bytes = static_cast<std::size_t>(end - begin);
  return parsed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || data[0] == 0) return 0;
  const std::size_t count = data[0];
  // All that a parser may look at; what is beyond it is not part of good fields.
  const std::string_view text = text_of(data + 1, size - 1).substr(0, count * kMostPixelBytes);
  for (const char separator : {',', ';', '\t', ' '}) {
    const Parsed expected = parse_simply(text, count, separator);
    for (const PixelParser parser : pixel_parsers(separator)) {
      expect_equal(parse(parser, text, count), expected, "pixels");
    }
  }
  return 0;
}

}  // namespace lockstep::fuzz
