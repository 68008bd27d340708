#include "data/arff.h"

#include <algorithm>
#include <charconv>
#include <unordered_set>

#include "lockstep/core/error.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// The byte behind the quote that closes the one at `at`; npos where none does.
std::size_t behind_quote(std::string_view text, std::size_t at) {
  const char quote = text[at];
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

std::string without_escapes(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    plain += text[i];
  }
  return plain;
}

class HeaderParser {
 public:
  HeaderParser(std::string_view file, const std::string& name) : file_(file), name_(name) {}

  ArffHeader parse();

 private:
  [[noreturn]] void fail(std::string_view expected) const;
  void skip_blanks() {
    while (at_ < line_end_ && (is_blank(file_[at_]) || file_[at_] == '\r')) ++at_;
  }
  bool at_line_end() {
    skip_blanks();
    return at_ == line_end_ || file_[at_] == '%';
  }
  // A word up to a blank or one of `ends`, or what is in quotes.
  std::string word(std::string_view ends);
  void add_column(ArffHeader& header);
  void read_kind(ArffColumn& column);
  void read_values(ArffColumn& column);

  std::string_view file_;
  const std::string& name_;
  std::size_t at_ = 0;
  std::size_t line_end_ = 0;
  std::size_t values_ = 0;
  std::unordered_set<std::string> names_;
};

void HeaderParser::fail(std::string_view expected) const {
  constexpr std::size_t kShown = 30;
  const std::string_view rest = file_.substr(at_, std::min(kShown, line_end_ - at_));
  fail_usage("{}: \"{}\" seen; expected {}", place_in_text(name_, file_, at_), rest, expected);
}

std::string HeaderParser::word(std::string_view ends) {
  skip_blanks();
  if (at_ < line_end_ && (file_[at_] == '\'' || file_[at_] == '"')) {
    const std::size_t behind = behind_quote(file_.substr(0, line_end_), at_);
    if (behind == std::string_view::npos) fail("a closing quote on this line");
    const std::size_t first = at_ + 1;
    at_ = behind;
    return without_escapes(file_.substr(first, behind - 1 - first));
  }
  const std::size_t first = at_;
  while (at_ < line_end_ && !is_blank(file_[at_]) && file_[at_] != '\r' &&
         ends.find(file_[at_]) == ends.npos) {
    ++at_;
  }
  return std::string(file_.substr(first, at_ - first));
}

void HeaderParser::read_values(ArffColumn& column) {
  column.kind = ArffKind::kNominal;
  ++at_;
  for (;;) {
    if (++values_ > kMostArffValues) {
      fail_usage("{}: more than {} nominal values", place_in_text(name_, file_, at_),
                 kMostArffValues);
    }
    skip_blanks();
    const std::size_t before = at_;
    std::string value = word(",}");
    if (at_ == before) fail("a value of the column");
    column.values.push_back(std::move(value));
    skip_blanks();
    if (at_ == line_end_) fail("}");
    const char end = file_[at_++];
    if (end == '}') return;
    if (end != ',') {
      --at_;
      fail(", or }");
    }
  }
}

void HeaderParser::read_kind(ArffColumn& column) {
  skip_blanks();
  if (at_ < line_end_ && file_[at_] == '{') return read_values(column);
  const std::size_t first = at_;
  const std::string kind = lower_case(word("[%"));
  if (kind == "numeric" || kind == "real" || kind == "integer") {
    column.kind = ArffKind::kNumber;
    skip_blanks();
    if (at_ < line_end_ && file_[at_] == '[') {  // a range, as some tools add
      at_ = std::min(file_.find(']', at_), line_end_ - 1) + 1;
    }
    return;
  }
  column.kind = ArffKind::kText;
  if (kind == "string") return;
  if (kind == "date") {
    at_ = line_end_;  // a form of dates may follow
    return;
  }
  at_ = first;
  fail("numeric, real, integer, string, date or {values}");
}

void HeaderParser::add_column(ArffHeader& header) {
  if (header.columns.size() == kMostArffColumns) {
    fail_usage("{}: more than {} columns", place_in_text(name_, file_, at_), kMostArffColumns);
  }
  if (at_line_end()) fail("the name of a column");
  const std::size_t begin = at_;
  ArffColumn column;
  column.name = word("{");
  if (!names_.insert(column.name).second) {
    at_ = begin;
    fail("a name that no other column has");
  }
  read_kind(column);
  if (!at_line_end()) fail("the end of the line");
  header.columns.push_back(std::move(column));
}

ArffHeader HeaderParser::parse() {
  ArffHeader header;
  if (file_.starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
  while (at_ < file_.size()) {
    line_end_ = std::min(file_.find('\n', at_), file_.size());
    if (!at_line_end()) {
      const std::size_t first = at_;
      const std::string keyword = lower_case(word(""));
      if (keyword == "@relation") {
        header.relation = word("");
      } else if (keyword == "@attribute") {
        add_column(header);
      } else if (keyword == "@data") {
        if (header.columns.empty()) fail_usage("{}: @data without an @attribute before it", name_);
        header.data_first = std::min(line_end_ + 1, file_.size());
        return header;
      } else {
        at_ = first;
        fail("@relation, @attribute or @data");
      }
    }
    at_ = line_end_ + 1;
  }
  fail_usage("{}: ends without @data", name_);
}

}  // namespace

bool is_arff(std::string_view file) {
  if (file.starts_with(kByteOrderMark)) file.remove_prefix(kByteOrderMark.size());
  RowLines lines(file.substr(0, kRecognizedBytes), 0, {0, 1}, '%');
  constexpr std::string_view kFirst = "@relation";
  return lines.next() && lower_case(lines.line().substr(0, kFirst.size())) == kFirst;
}

ArffHeader parse_arff_header(std::string_view file, const std::string& name) {
  return HeaderParser(file, name).parse();
}

ArffRows::ArffRows(std::string_view file, const std::string& name, const ArffHeader& header,
                   FilePart part)
    : file_(file),
      name_(name),
      header_(header),
      lines_(file, header.data_first, part, '%'),
      fields_(header.columns.size()),
      places_(header.columns.size()) {
  for (const ArffColumn& column : header.columns) {
    left_out_.emplace_back(column.kind == ArffKind::kNominal ? std::string_view(column.values[0])
                                                             : std::string_view("0"));
  }
}

void ArffRows::fail(std::size_t at, std::string_view expected) const {
  constexpr std::size_t kShown = 30;
  fail_usage("{}: \"{}\" seen; expected {}", place_in_text(name_, file_, lines_.byte() + at),
             lines_.line().substr(at, kShown), expected);
}

std::string ArffRows::place(std::size_t column) const {
  return place_in_text(name_, file_, lines_.byte() + places_[column]);
}

std::size_t ArffRows::skip_blanks(std::size_t at) const {
  const std::string_view line = lines_.line();
  while (at < line.size() && is_blank(line[at])) ++at;
  return at;
}

std::string_view ArffRows::take_field(std::size_t& at) {
  const std::string_view line = lines_.line();
  if (at < line.size() && (line[at] == '\'' || line[at] == '"')) {
    const std::size_t behind = behind_quote(line, at);
    if (behind == line.npos) fail(at, "a closing quote on this line");
    const std::string_view inner = line.substr(at + 1, behind - at - 2);
    at = behind;
    if (inner.find('\\') == inner.npos) return inner;
    return unescaped_.emplace_back(without_escapes(inner));
  }
  const std::size_t end = std::min(line.find_first_of(", \t{}", at), line.size());
  if (end == at) fail(at, "a value");
  const std::string_view field = line.substr(at, end - at);
  at = end;
  return field == "?" ? std::string_view() : field;
}

void ArffRows::read_dense() {
  const std::size_t columns = fields_.size();
  std::size_t at = 0;
  for (std::size_t i = 0; i < columns; ++i) {
    places_[i] = at;
    if (at == lines_.line().size()) {
      fail_usage("{}: {}; expected {}", place_in_text(name_, file_, lines_.byte()),
                 count_of(i, "value"), columns);
    }
    fields_[i] = take_field(at);
    const std::size_t behind = skip_blanks(at);
    const bool comma = behind < lines_.line().size() && lines_.line()[behind] == ',';
    if (!comma && behind == at && at < lines_.line().size()) fail(at, ", or a blank");
    at = comma && i + 1 < columns ? skip_blanks(behind + 1) : behind;
  }
  if (at < lines_.line().size()) {
    fail(at, fmt::format("the end of the row behind {}", count_of(columns, "value")));
  }
}

// The number of a column, which is at least `least`.
std::size_t ArffRows::take_index(std::size_t& at, std::size_t least) const {
  const std::string_view line = lines_.line();
  std::size_t index = 0;
  const auto [end, fault] = std::from_chars(line.data() + at, line.data() + line.size(), index);
  if (fault != std::errc() || index < least || index >= fields_.size()) {
    fail(at, fmt::format("the number of a column from {} to {}", least, fields_.size() - 1));
  }
  at = skip_blanks(static_cast<std::size_t>(end - line.data()));
  return index;
}

void ArffRows::read_sparse() {
  const std::string_view line = lines_.line();
  fields_ = left_out_;
  std::ranges::fill(places_, 0);
  std::size_t at = skip_blanks(1);
  std::size_t least = 0;
  while (at < line.size() && line[at] != '}') {
    const std::size_t index = take_index(at, least);
    least = index + 1;
    places_[index] = at;
    fields_[index] = take_field(at);
    at = skip_blanks(at);
    if (at < line.size() && line[at] == ',') {
      at = skip_blanks(at + 1);
    } else if (at < line.size() && line[at] != '}') {
      fail(at, ", or }");
    }
  }
  if (at == line.size()) fail(at, "}");
  if (skip_blanks(at + 1) < line.size()) fail(at + 1, "the end of the row");
  // What such a row means by leaving a text out, no two readers agree on.
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    if (header_.columns[i].kind == ArffKind::kText && places_[i] == 0) {
      fail(0, fmt::format("a value of the text column \"{}\"", header_.columns[i].name));
    }
  }
}

bool ArffRows::next() {
  unescaped_.clear();
  if (!lines_.next()) return false;
  if (lines_.line()[0] == '{') {
    read_sparse();
  } else {
    read_dense();
  }
  return true;
}

}  // namespace lockstep
