#include "data/row_lines.h"

#include <algorithm>

#include "lockstep/core/share.h"

namespace lockstep {

namespace {

// The first begin of a line at or behind `cut`.
std::size_t line_start(std::string_view text, std::size_t body_first, std::size_t cut) {
  if (cut <= body_first) return body_first;
  const std::size_t end = text.find('\n', cut - 1);
  return end == text.npos ? text.size() : end + 1;
}

}  // namespace

RowLines::RowLines(std::string_view text, std::size_t body_first, FilePart part, char comment)
    : text_(text), comment_(comment) {
  const auto bytes = static_cast<std::int64_t>(text.size() - body_first);
  const Range range = share_of(bytes, part.count, part.index);
  at_ = line_start(text, body_first, body_first + static_cast<std::size_t>(range.first));
  last_ = line_start(text, body_first, body_first + static_cast<std::size_t>(range.last));
}

bool RowLines::next() {
  while (at_ < last_) {
    const std::size_t end = std::min(text_.find('\n', at_), text_.size());
    line_ = text_.substr(at_, end - at_);
    if (line_.ends_with('\r')) line_.remove_suffix(1);
    line_ = without_blanks(line_);
    at_ = std::min(end + 1, text_.size());
    if (!line_.empty() && line_[0] != comment_) return true;
  }
  return false;
}

std::string place_in_text(const std::string& name, std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, byte);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t line_end = before.rfind('\n');
  const std::size_t column = line_end == before.npos ? byte + 1 : byte - line_end;
  return fmt::format("{}:{}:{}", name, line, column);
}

std::optional<double> signed_number_of(std::string_view text) {
  if (!text.starts_with('+')) return number_of(text);
  text.remove_prefix(1);
  return text.starts_with('-') ? std::nullopt : number_of(text);
}

}  // namespace lockstep
