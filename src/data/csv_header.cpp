#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "data/csv_columns.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

bool is_number(FieldKind kind) { return kind == FieldKind::kByte || kind == FieldKind::kNumber; }

// Names 0, 1, 2, ... or 1, 2, 3, ..., as of columns that had none; beside others.
bool are_counted(const std::vector<std::string_view>& fields) {
  constexpr int kFewest = 3;
  int count = 0;
  std::optional<double> last;
  for (const std::string_view field : fields) {
    const std::optional<double> number = number_of(bare_field(field));
    if (!number) continue;
    const bool next = last ? *number == *last + 1 : *number == 0 || *number == 1;
    if (!next) return false;
    last = number;
    ++count;
  }
  return count >= kFewest;
}

// Names such as 0, 0.1, 0.2, 3, 0.3, 3.1: what a reader that wants distinct names makes of a row.
bool are_mangled(const std::vector<std::string_view>& fields) {
  std::unordered_map<std::string, int> seen;
  bool any = false;
  for (const std::string_view field : fields) {
    const std::string_view bare = bare_field(field);
    const std::size_t dot = std::min(bare.find('.'), bare.size());
    int& times = seen[std::string(bare.substr(0, dot))];
    const std::string expected = times == 0 ? "" : fmt::format(".{}", times);
    if (bare.substr(dot) != expected) return false;
    any = any || times > 0;
    ++times;
  }
  return any;
}

[[noreturn]] void fail_doubtful(const CsvQuestion& question, std::string_view first,
                                std::string_view why) {
  fail_usage(
      "{}:1:1: the first line ({}, ...) may be a header or a row: {}; set data.csv.header to YES "
      "or NO",
      question.name, shown_field(bare_field(first)), why);
}

// How the first line differs from the others, of whose width it is.
struct Difference {
  int names_over_numbers = 0;
  int numbers_over_numbers = 0;
  int names = 0;
  int strange_bytes = 0;  // numbers that are no bytes, over bytes
  double most = 0;
};

Difference difference_of(const std::vector<std::string_view>& fields, const CsvSample& sample) {
  Difference difference;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const FieldKind kind = field_kind_of(fields[i]);
    const bool number = is_number(kind);
    const bool name = kind == FieldKind::kText || kind == FieldKind::kEmpty;
    if (name) ++difference.names;
    if (number) difference.most = std::max(difference.most, *number_of(bare_field(fields[i])));
    if (sample.width != static_cast<int>(fields.size())) continue;
    const KindCounts& below = sample.counts[i];
    if (!below.mostly_numbers() && !below.mostly_lists()) continue;
    ++(name ? difference.names_over_numbers : difference.numbers_over_numbers);
    if (kind == FieldKind::kNumber && below.numbers == 0) ++difference.strange_bytes;
  }
  return difference;
}

// Whether `most` is beyond all values of the rows below.
bool count_beyond_values(const CsvSample& sample, double most) {
  constexpr std::size_t kEnough = 20;  // lines, for their largest value to mean something
  double largest = 0;
  std::vector<std::string_view> fields;
  for (const std::string_view line : sample.lines) {
    split_csv_line(line, sample.separator, fields);
    for (const std::string_view field : fields) {
      largest = std::max(largest, number_of(bare_field(field)).value_or(0));
    }
  }
  return most > 255 || (sample.lines.size() >= kEnough && most > largest);
}

Header of_numbers(const CsvQuestion& question, const CsvSample& sample,
                  const std::vector<std::string_view>& fields, const Difference& difference) {
  const bool alone = sample.lines.empty();
  if (are_counted(fields)) {
    const auto is_label = [&](std::string_view field) {
      return bare_field(field) == question.label_column;
    };
    if (std::ranges::any_of(fields, is_label)) return Header::kYes;
    if (!alone && count_beyond_values(sample, difference.most)) return Header::kYes;
    fail_doubtful(question, fields.front(), "its numbers count on");
  }
  if (difference.strange_bytes > 1 && are_mangled(fields)) {
    fail_doubtful(question, fields.front(),
                  "its numbers look like a row that was taken for names once");
  }
  if (difference.strange_bytes > 1) {
    fail_doubtful(question, fields.front(), "its numbers are not like those below");
  }
  return Header::kNo;
}

}  // namespace

Header find_header(const CsvQuestion& question, const CsvSample& sample) {
  if (question.csv.header == Header::kNo) return Header::kNo;
  std::vector<std::string_view> fields;
  split_csv_line(sample.first, sample.separator, fields);
  const Difference difference = difference_of(fields, sample);
  const bool comparable = !sample.lines.empty() && sample.width == static_cast<int>(fields.size());
  if (question.csv.header == Header::kYes) {
    const bool row = comparable && difference.names == 0 && difference.strange_bytes < 2 &&
                     !are_counted(fields) && !are_mangled(fields);
    if (!row) return Header::kYes;
    fail_usage(
        "{}:1:1: the first line ({}, ...) is a row like those below, but data.csv.header says that "
        "it is a header",
        question.name, shown_field(bare_field(fields.front())));
  }
  if (!comparable) {
    const bool names = 2 * difference.names > static_cast<int>(fields.size());
    return names ? Header::kYes : of_numbers(question, sample, fields, difference);
  }
  if (difference.names_over_numbers > difference.numbers_over_numbers) return Header::kYes;
  if (difference.names_over_numbers > 0 && are_counted(fields)) return Header::kYes;
  // One name over a number is a fault of a row.
  if (difference.numbers_over_numbers > 0) {
    return of_numbers(question, sample, fields, difference);
  }
  fail_doubtful(question, fields.front(), "no line has numbers");
}

std::vector<std::string> read_names(const CsvQuestion& question, const CsvSample& sample) {
  std::vector<std::string_view> fields;
  split_csv_line(sample.first, sample.separator, fields);
  std::vector<std::string> names;
  for (const std::string_view field : fields) {
    if (quoting_of(field) == Quoting::kTorn) {
      fail_usage("{}:1:{}: {} has a quote that is not closed, or text beside one; expected a name",
                 question.name, field.data() - sample.first.data() + 1, shown_field(field));
    }
    names.emplace_back(without_blanks(field_text(field)));
  }
  std::unordered_map<std::string_view, std::size_t> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto [first, is_new] = seen.emplace(names[i], i);
    if (is_new || names[i].empty()) continue;
    fail_usage("{}:1:1: columns {} and {} of the header have one name, {}; expected distinct names",
               question.name, first->second + 1, i + 1, shown_field(names[i]));
  }
  return names;
}

}  // namespace lockstep
