#include "report/text.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "report/text_table.h"

namespace lockstep {

namespace {

constexpr const char* kReplacement = "\uFFFD";

// Code points of so many bytes lie in [least, most]; lead bytes begin with `mark`.
struct Form {
  unsigned mask;
  unsigned mark;
  char32_t least;
};
constexpr std::array<Form, 4> kForms = {
    {{0x80, 0x00, 0x0}, {0xE0, 0xC0, 0x80}, {0xF0, 0xE0, 0x800}, {0xF8, 0xF0, 0x10000}}};

bool is_shown(char32_t code) {
  if (code < 0x20) return code == '\t' || code == '\n';
  const bool control = code >= 0x7F && code < 0xA0;
  const bool surrogate = code >= 0xD800 && code < 0xE000;
  return !control && !surrogate && code != 0xFFFE && code != 0xFFFF && code <= 0x10FFFF;
}

// Bytes of the code point that begins `text`; 0 when it may not be shown.
std::size_t code_point_size(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  for (std::size_t more = 0; more < kForms.size(); ++more) {
    const Form& form = kForms[more];
    if ((lead & form.mask) != form.mark) continue;
    if (text.size() <= more) return 0;
    char32_t code = lead & ~form.mask;
    for (std::size_t i = 1; i <= more; ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      if ((byte & 0xC0U) != 0x80U) return 0;
      code = code << 6U | (byte & 0x3FU);
    }
    return code >= form.least && is_shown(code) ? more + 1 : 0;
  }
  return 0;
}

}  // namespace

std::string valid_text(std::string_view text) {
  std::string valid;
  while (!text.empty()) {
    const std::size_t size = code_point_size(text);
    valid += size == 0 ? kReplacement : text.substr(0, size);
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return valid;
}

std::string shortened(std::string_view text, std::size_t width) {
  std::string valid = valid_text(text);
  if (text_width(valid) <= width) return valid;
  std::string_view rest = valid;
  for (std::size_t i = 0; i + 1 < width; ++i) rest.remove_prefix(code_point_size(rest));
  valid.resize(valid.size() - rest.size());
  return valid + "…";
}

std::string grouped(std::int64_t number) {
  const std::string digits = fmt::format("{}", number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const bool after_digit = i > 0 && digits[i - 1] != '-';
    if (after_digit && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string percent(double share) {
  return std::isfinite(share) ? fmt::format("{:.2f}%", 100 * share) : "n/a";
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds)) return "n/a";
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

std::string rounded(double value) {
  return std::isfinite(value) ? fmt::format("{:.4g}", value) : "n/a";
}

std::string class_name(std::string_view name) {
  return name.empty() ? "(empty)" : valid_text(name);
}

}  // namespace lockstep
