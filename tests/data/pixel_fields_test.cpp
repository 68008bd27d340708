// Every parser of pixel fields that this processor can run, against a plain one.

#include "data/pixel_fields.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

namespace {

constexpr std::uint8_t kUntouched = 0xA5;

struct Parsed {
  std::vector<std::uint8_t> pixels;
  std::size_t bytes = 0;  // of the fields and their commas

  bool operator==(const Parsed&) const = default;
};

// The first `count` fields of `text`, by the letter of the rules.
std::optional<Parsed> plain(std::string_view text, int count, char separator) {
  Parsed parsed;
  for (int i = 0; i < count; ++i) {
    const std::size_t comma = text.find(separator, parsed.bytes);
    if (comma == std::string_view::npos) return {};
    const std::string field(text.substr(parsed.bytes, comma - parsed.bytes));
    if (field.empty() || field.size() > 3) return {};
    if (field.find_first_not_of("0123456789") != std::string::npos) return {};
    if (std::stoi(field) > 255) return {};
    parsed.pixels.push_back(static_cast<std::uint8_t>(std::stoi(field)));
    parsed.bytes = comma + 1;
  }
  return parsed;
}

// Memory between two pages that a program dies of when it reads them.
class GuardedPages {
 public:
  GuardedPages()
      : pages_(static_cast<char*>(::mmap(nullptr, kBytes + 2 * kPageBytes, PROT_NONE,
                                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    EXPECT_EQ(::mprotect(pages_ + kPageBytes, kBytes, PROT_READ | PROT_WRITE), 0);
  }
  ~GuardedPages() { ::munmap(pages_, kBytes + 2 * kPageBytes); }
  GuardedPages(const GuardedPages&) = delete;
  GuardedPages& operator=(const GuardedPages&) = delete;

  char* first(const std::string& text) const { return put(text, pages_ + kPageBytes); }
  char* last(const std::string& text) const {
    return put(text, pages_ + kPageBytes + kBytes - text.size());
  }

 private:
  static char* put(const std::string& text, char* to) {
    std::copy(text.begin(), text.end(), to);
    return to;
  }

  static constexpr std::size_t kPageBytes = 4096;
  static constexpr std::size_t kBytes = 4 * kPageBytes;
  char* pages_;
};

constexpr char kSeparators[] = {',', ';', '\t', ' '};

// Expects that each parser makes of `text` what the plain one does, whatever `fill`
// stands behind it, and neither reads nor writes beyond what its contract says. What
// stands before the fields must not matter, up to the byte that they begin behind.
void expect_as_plain(const std::string& text, int count, char separator, char fill,
                     const std::string& before) {
  static const GuardedPages pages;
  const std::optional<Parsed> expected = plain(text, count, separator);
  const auto size = static_cast<std::size_t>(count);
  std::string around = before + text;
  around.resize(
      std::max(around.size(), kPixelLookBackBytes + size * kMostPixelBytes) + kPixelLookAheadBytes,
      fill);
  ASSERT_EQ(kPixelLookBackBytes, 3U);
  for (const PixelParser parse : pixel_parsers(separator)) {
    for (const char* begin : {pages.first(around), pages.last(around)}) {
      std::vector<std::uint8_t> out(size + kPixelLookAheadBytes, kUntouched);
      const char* end = parse(begin + kPixelLookBackBytes, out.data(), count);
      ASSERT_EQ(end != nullptr, expected.has_value()) << count << " fields of " << text;
      ASSERT_EQ(std::count(out.begin() + count, out.end(), kUntouched),
                static_cast<std::ptrdiff_t>(kPixelLookAheadBytes))
          << count << " fields of " << text;
      if (end == nullptr) continue;
      out.resize(size);
      const auto bytes = static_cast<std::size_t>(end - begin) - kPixelLookBackBytes;
      ASSERT_EQ(expected, (Parsed{out, bytes})) << count << " fields of " << text;
    }
  }
}

void expect_as_plain(const std::string& text, int count, char fill = '7') {
  for (const char separator : kSeparators) {
    std::string turned = text;
    if (separator != ',') {  // commas are then what is never good
      for (char& c : turned) c = c == ',' ? separator : c == separator ? ',' : c;
    }
    expect_as_plain(turned, count, separator, fill, std::string("99") + separator);
  }
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST(PixelFields, RunsOfEachLength) {
  for (int count = 0; count <= 200; ++count) {
    for (const char* field : {"0,", "7,", "42,", "255,", "0,0,13,", "199,0,0,0,"}) {
      const std::string text = repeated(field, count);
      for (const char fill : {'0', ',', '\n', '\xFF'}) expect_as_plain(text, count, fill);
    }
  }
}

// Before a field of each value and length stand zeros, so that it meets every place
// of a block and every cut between two.
TEST(PixelFields, EachFieldAtEachPlace) {
  for (const int zeros : {0, 1, 2, 3, 13, 14, 15, 16, 17, 28, 29, 30, 31, 32, 33, 61, 62, 63, 64}) {
    for (int value = 0; value < 1100; ++value) {
      for (const char* format : {"{},", "{:02},", "{:03},", "{:04},"}) {
        const std::string text =
            repeated("0,", zeros) + fmt::format(fmt::runtime(format), value) + repeated("0,", 40);
        expect_as_plain(text, zeros + 41);
        expect_as_plain("3," + text, zeros + 41);
        expect_as_plain("25," + text, zeros + 20);
      }
    }
  }
}

TEST(PixelFields, EachByteInARunOfZeros) {
  const std::string zeros = repeated("0,", 75);
  for (std::size_t place = 0; place <= 140; ++place) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string text = zeros;
      text[place] = static_cast<char>(byte);
      expect_as_plain(text, 75);
    }
    for (const char* extra :
         {"0", ",", " ", "12", "123", "1234", ",,", "256,", "-1", "+1", "\r\n"}) {
      expect_as_plain(std::string(zeros).insert(place, extra), 75);
    }
    expect_as_plain(std::string(zeros).erase(place, 1), 74);
  }
}

TEST(PixelFields, RandomFields) {
  std::mt19937 random(20);
  const auto below = [&](unsigned bound) { return static_cast<int>(random() % bound); };
  for (int round = 0; round < 20000; ++round) {
    const int count = below(300);
    const int zeros_of_10 = below(11);
    std::string text;
    for (int i = 0; i < count; ++i) {
      text += below(10) < zeros_of_10 ? "0," : fmt::format("{},", below(256));
    }
    expect_as_plain(text, count);
    if (text.empty()) continue;
    const std::string_view hostile = "0123456789,, \r\n/:-\x80\xAC\xB5";
    for (int faults = 1 + below(2); faults > 0; --faults) {
      text[static_cast<std::size_t>(below(static_cast<unsigned>(text.size())))] =
          hostile[static_cast<std::size_t>(below(static_cast<unsigned>(hostile.size())))];
    }
    expect_as_plain(text, count);
  }
}

// The first row of a text stands behind a line's end, a list of pixels behind a quote or
// another separator.
TEST(PixelFields, WhatStandsBeforeTheFields) {
  for (const char separator : kSeparators) {
    for (const char* before : {"99\n", "9\r\n", "12\"", "12,", "12;", "12\t", ",,\n"}) {
      const bool above_digits = std::string_view(before).ends_with(';');
      if (above_digits && (separator == ',' || separator == '\t')) continue;
      for (const int count : {1, 20, 33, 100}) {
        for (const char* field : {"7", "42", "255", "256"}) {
          const std::string text = repeated(std::string(field) + separator, count);
          expect_as_plain(text, count, separator, '7', before);
        }
      }
    }
  }
}

TEST(PixelFields, OneFieldAndWhatFollows) {
  for (const auto& [text, value, digits] : {std::tuple{"0\n", 0, 1},
                                            {"00\r", 0, 2},
                                            {"007,", 7, 3},
                                            {"255,", 255, 3},
                                            {"1234", 123, 3}}) {
    std::uint8_t pixel = kUntouched;
    EXPECT_EQ(parse_pixel(text, &pixel), text + digits) << text;
    EXPECT_EQ(pixel, value) << text;
  }
  for (const char* text : {"", ",", "\n", " 1", "-1", "256,", "999,"}) {
    std::uint8_t pixel = kUntouched;
    EXPECT_EQ(parse_pixel(text, &pixel), nullptr) << text;
  }
}

}  // namespace

}  // namespace lockstep
