#include "data/libsvm.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

constexpr std::string_view kBlanks = " \t";
constexpr FilePart kWhole{0, 1};
constexpr std::size_t kShownBytes = 30;

// A row without the comment behind it.
std::string_view without_comment(std::string_view line) {
  return without_blanks(line.substr(0, line.find('#')));
}

std::size_t word_end(std::string_view line, std::size_t at) {
  return std::min(line.find_first_of(kBlanks, at), line.size());
}

std::size_t next_word(std::string_view line, std::size_t at) {
  return std::min(line.find_first_not_of(kBlanks, at), line.size());
}

// The index of the word INDEX:VALUE at `at`, and the byte behind its colon; -1 for another word.
std::int64_t index_at(std::string_view line, std::size_t& at) {
  std::int64_t index = -1;
  const char* const end = line.data() + line.size();
  const auto [stop, fault] = std::from_chars(line.data() + at, end, index);
  if (fault != std::errc() || index < 0 || stop == end || *stop != ':') return -1;
  at = static_cast<std::size_t>(stop - line.data()) + 1;
  return index;
}

[[noreturn]] void fail_at(std::string_view file, const std::string& name, std::string_view line,
                          std::size_t at, std::string_view expected) {
  const auto byte = static_cast<std::size_t>(line.data() - file.data()) + at;
  fail_usage("{}: \"{}\" seen; expected {}", place_in_text(name, file, byte),
             line.substr(at, kShownBytes), expected);
}

}  // namespace

bool is_libsvm(std::string_view file) {
  RowLines lines(file.substr(0, kRecognizedBytes), 0, kWhole, '#');
  if (!lines.next()) return false;
  const std::string_view line = without_comment(lines.line());
  const std::size_t label_end = word_end(line, 0);
  if (!signed_number_of(line.substr(0, label_end))) return false;
  std::size_t at = next_word(line, label_end);
  if (at == line.size() || index_at(line, at) < 0) return false;
  return signed_number_of(line.substr(at, word_end(line, at) - at)).has_value();
}

LibsvmExtent measure_libsvm(std::string_view file, const std::string& name) {
  LibsvmExtent extent;
  RowLines lines(file, 0, kWhole, '#');
  while (lines.next()) {
    ++extent.rows;
    const std::string_view line = without_comment(lines.line());
    std::size_t first = next_word(line, word_end(line, 0));
    if (first == line.size()) continue;
    const std::size_t before_last = line.find_last_of(kBlanks);
    std::size_t last = before_last + 1;
    for (std::size_t* at : {&first, &last}) {
      const std::size_t word = *at;
      const std::int64_t index = index_at(line, *at);
      if (index < 0 || index > kMostLibsvmIndex) {
        fail_at(file, name, line, word,
                fmt::format("INDEX:VALUE with an index from 0 to {}", kMostLibsvmIndex));
      }
      if (index == 0) extent.first_index = 0;
      extent.last_index = std::max(extent.last_index, index);
    }
  }
  if (extent.rows == 0) fail_usage("{}: no rows; expected lines of LABEL INDEX:VALUE ...", name);
  return extent;
}

LibsvmRows::LibsvmRows(std::string_view file, const std::string& name, FilePart part)
    : file_(file), name_(name), lines_(file, 0, part, '#') {}

void LibsvmRows::fail(std::size_t at, std::string_view expected) const {
  fail_at(file_, name_, lines_.line(), at, expected);
}

void LibsvmRows::read(std::int64_t first_index, std::span<float> out) const {
  std::ranges::fill(out, 0.0f);
  const std::string_view line = without_comment(lines_.line());
  std::int64_t least = first_index;
  const std::int64_t last = first_index + static_cast<std::int64_t>(out.size()) - 1;
  for (std::size_t at = next_word(line, word_end(line, 0)); at < line.size();
       at = next_word(line, at)) {
    const std::size_t word = at;
    const std::int64_t index = index_at(line, at);
    if (index < least || index > last) {
      fail(word, fmt::format("INDEX:VALUE with an index from {} to {}", least, last));
    }
    least = index + 1;
    const std::size_t end = word_end(line, at);
    const auto value = signed_number_of(line.substr(at, end - at));
    if (!value || std::abs(*value) > std::numeric_limits<float>::max()) fail(at, "a number");
    out[static_cast<std::size_t>(index - first_index)] = static_cast<float>(*value);
    at = end;
  }
}

double LibsvmRows::label() const {
  const std::string_view line = without_comment(lines_.line());
  const std::string_view word = line.substr(0, word_end(line, 0));
  const auto label = signed_number_of(word);
  if (label) return *label;
  fail(0, word.find(',') == word.npos ? "a number as label" : "one label");
}

}  // namespace lockstep
