#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <unordered_set>

#include "data/csv_columns.h"
#include "lockstep/core/error.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

constexpr std::array<std::string_view, 13> kLabelNames = {
    "label",   "labels",   "class",    "target", "emotion", "y",     "character",
    "classid", "class_id", "category", "digit",  "letter",  "symbol"};
constexpr std::array<std::string_view, 14> kIdNames = {
    "id",    "image_id",  "imageid",    "img_id",   "index",     "idx",  "row_id",
    "rowid", "sample_id", "unnamed: 0", "filename", "file_name", "file", "image"};

std::ptrdiff_t place_in(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, lower_case(name)) - names.begin();
}

bool is_id_name(std::string_view name) { return place_in(kIdNames, name) < std::ssize(kIdNames); }

std::size_t distinct(const std::vector<std::string_view>& values) {
  return std::unordered_set<std::string_view>(values.begin(), values.end()).size();
}

// A name without its digits: what the names of pixels have in common.
std::string stem_of(std::string_view name) {
  std::string stem;
  for (const char c : name) {
    if (c < '0' || c > '9') stem += c;
  }
  return stem;
}

// The whole numbers of a column, and what else is there.
struct Numbers {
  std::size_t values = 0;
  std::size_t faults = 0;
  std::set<std::int32_t> kinds;

  std::size_t range() const {
    return kinds.empty() ? 0 : static_cast<std::size_t>(*kinds.rbegin() - *kinds.begin());
  }
};

Numbers numbers_of(const std::vector<std::string_view>& values) {
  Numbers numbers;
  numbers.values = values.size();
  for (const std::string_view value : values) {
    const std::optional<std::int32_t> number = whole_number_of(value);
    if (number && *number >= 0) {
      numbers.kinds.insert(*number);
    } else {
      ++numbers.faults;
    }
  }
  return numbers;
}

// Few kinds of numbers and close to each other; but for some faults.
bool may_be_labels(const Numbers& numbers) {
  constexpr std::size_t kFew = 12;
  const std::size_t kinds = numbers.kinds.size();
  return 8 * numbers.faults <= numbers.values && kinds > 1 &&
         kinds <= std::max(numbers.values / 4, kFew) && numbers.range() <= 3 * kinds + 3;
}

// As the columns of two pixels side by side are, where both have many values.
bool are_alike(const Numbers& a, const Numbers& b) {
  const auto close = [](std::size_t x, std::size_t y) {
    return 2 * std::min(x, y) >= std::max(x, y);
  };
  return close(a.kinds.size(), b.kinds.size()) && close(a.range(), b.range());
}

// Finds what the settings leave open.
class RoleFinder {
 public:
  RoleFinder(const CsvQuestion& question, const CsvSample& sample, const CsvColumns& columns,
             CsvRoles& roles)
      : question_(question), sample_(sample), columns_(columns), roles_(roles) {}

  void find() {
    find_uses();
    find_pixel_list();
    find_label_by_name();
    find_ids_by_name();
    find_texts();
    find_numbers();
  }

 private:
  const KindCounts& counts(int column) const {
    return sample_.counts[static_cast<std::size_t>(column)];
  }
  bool is_known(int column) const { return column < static_cast<int>(sample_.counts.size()); }
  bool counts_on(int column) const { return are_counting(sample_.column(column), sample_.leading); }

  void find_uses();
  void find_pixel_list();
  void find_label_by_name();
  void find_ids_by_name();
  void find_texts();
  void find_numbers();
  void settle_beside_list(const std::vector<int>& open);
  // Of `open` columns, which are numbers, those whose names are unlike most.
  std::vector<int> odd_ones(const std::vector<int>& open) const;
  // How many of as many columns as are open are no pixels.
  int excess_of(int open, int odd) const;
  void settle_odd(const std::vector<int>& odd);
  void settle_ends(std::vector<int> open, int excess);
  [[noreturn]] void fail_doubtful(const std::vector<int>& columns) const;

  const CsvQuestion& question_;
  const CsvSample& sample_;
  const CsvColumns& columns_;
  CsvRoles& roles_;
};

void RoleFinder::find_uses() {
  if (roles_.has(CsvRole::kUse)) return;
  for (const int column : roles_.open()) {
    if (!is_known(column) || !counts(column).mostly_texts()) continue;
    const auto values = sample_.column(column);
    const auto is_use = [](std::string_view value) { return row_use_of(value).has_value(); };
    if (!std::ranges::all_of(values, is_use)) continue;
    roles_.settle(column, CsvRole::kUse);
    return;
  }
}

void RoleFinder::find_pixel_list() {
  if (roles_.has(CsvRole::kPixelList)) return;
  for (const int column : roles_.open()) {
    if (!is_known(column) || !counts(column).mostly_lists()) continue;
    if (roles_.has(CsvRole::kPixelList)) {
      fail_usage("{}:1:1: {} and another hold lists of numbers; set data.csv.pixel_list",
                 question_.name, columns_.shown(column));
    }
    roles_.settle(column, CsvRole::kPixelList);
  }
}

// Where more than one has a label's name, the first of the usual ones; the others would be
// the same label once more.
void RoleFinder::find_label_by_name() {
  if (columns_.names().empty()) return;
  int best = -1;
  std::ptrdiff_t place = std::ssize(kLabelNames);
  for (const int column : roles_.open()) {
    const std::ptrdiff_t here = place_in(kLabelNames, columns_.name(column));
    if (here >= place) continue;
    place = here;
    best = column;
  }
  if (roles_.wants_label() && best >= 0) roles_.settle(best, CsvRole::kLabel);
}

void RoleFinder::find_ids_by_name() {
  if (roles_.has(CsvRole::kId) || columns_.names().empty()) return;
  for (const int column : roles_.open()) {
    const std::string_view name = columns_.name(column);
    if (!is_known(column) || (!name.empty() && !is_id_name(name))) continue;
    const auto values = sample_.column(column);
    if (name.empty() ? !counts_on(column) : 2 * distinct(values) <= values.size()) continue;
    roles_.settle(column, CsvRole::kId);
    return;
  }
}

void RoleFinder::find_texts() {
  std::vector<int> texts;
  for (const int column : roles_.open()) {
    if (is_known(column) && counts(column).mostly_texts()) texts.push_back(column);
  }
  if (roles_.wants_label() && columns_.names().empty()) {
    std::vector<int> labels;
    for (const int column : texts) {
      const auto values = sample_.column(column);
      if (values.size() < 8 || distinct(values) < values.size()) labels.push_back(column);
    }
    if (labels.size() > 1) fail_doubtful(labels);
    if (labels.size() == 1) roles_.settle(labels.front(), CsvRole::kLabel);
  }
  for (const int column : roles_.open()) {
    if (std::ranges::find(texts, column) != texts.end()) roles_.settle(column, CsvRole::kIgnored);
  }
}

void RoleFinder::settle_beside_list(const std::vector<int>& open) {
  std::vector<int> labels;
  for (const int column : open) {
    if (is_known(column) && counts_on(column) && !roles_.has(CsvRole::kId)) {
      roles_.settle(column, CsvRole::kId);
    } else {
      labels.push_back(column);
    }
  }
  const bool named = !columns_.names().empty();
  if (!named && roles_.wants_label() && labels.size() > 1) fail_doubtful(labels);
  for (const int column : labels) {
    const bool label = !named && roles_.wants_label();
    roles_.settle(column, label ? CsvRole::kLabel : CsvRole::kIgnored);
  }
}

void RoleFinder::find_numbers() {
  const std::vector<int> open = roles_.open();
  if (question_.csv.label_kind == LabelKind::kOneHot) return;
  if (roles_.has(CsvRole::kPixelList)) return settle_beside_list(open);
  const std::vector<int> odd = odd_ones(open);
  const int excess = excess_of(static_cast<int>(open.size()), static_cast<int>(odd.size()));
  if (excess <= 0 || open.empty()) return;
  if (excess == static_cast<int>(odd.size())) return settle_odd(odd);
  if (sample_.counts.size() == roles_.of.size()) settle_ends(open, excess);
}

std::vector<int> RoleFinder::odd_ones(const std::vector<int>& open) const {
  if (columns_.names().empty()) return {};
  std::map<std::string, std::vector<int>> stems;
  for (const int column : open) stems[stem_of(columns_.name(column))].push_back(column);
  std::vector<int> odd;
  for (const auto& [stem, columns] : stems) {
    if (2 * columns.size() <= open.size()) odd.insert(odd.end(), columns.begin(), columns.end());
  }
  std::ranges::sort(odd);
  return odd.size() == open.size() ? std::vector<int>() : odd;
}

int RoleFinder::excess_of(int open, int odd) const {
  if (question_.shape) return open - question_.shape->pixels();
  const bool header = !columns_.names().empty();
  const std::array<int, 3> tried =
      roles_.wants_label() && !header ? std::array{1, 2, 0} : std::array{0, 1, 2};
  for (const int excess : tried) {
    if (guessed_pixels(open - excess) > 0) return excess;
  }
  constexpr int kMostOdd = 8;
  if (header) return odd <= kMostOdd ? odd : 0;
  return roles_.wants_label() ? 1 : 0;
}

// One of them may be the label, but no name says which: whoever needs labels must say so.
void RoleFinder::settle_odd(const std::vector<int>& odd) {
  for (const int column : odd) {
    const bool id = is_known(column) && counts_on(column) && !roles_.has(CsvRole::kId);
    roles_.settle(column, id ? CsvRole::kId : CsvRole::kIgnored);
  }
}

void RoleFinder::settle_ends(std::vector<int> open, int excess) {
  if (!roles_.has(CsvRole::kId) && counts_on(open.front())) {
    roles_.settle(open.front(), CsvRole::kId);
    open.erase(open.begin());
    --excess;
  }
  if (excess != 1 || !roles_.wants_label() || open.size() < 2) return;
  const auto numbers = [&](int column) { return numbers_of(sample_.column(column)); };
  const Numbers at_first = numbers(open.front());
  const Numbers at_last = numbers(open.back());
  bool first = may_be_labels(at_first);
  bool last = may_be_labels(at_last);
  if (first && last) {
    first = !are_alike(at_first, numbers(open[1]));
    last = !are_alike(at_last, numbers(open[open.size() - 2]));
  }
  if (first == last) fail_doubtful({open.front(), open.back()});
  roles_.settle(first ? open.front() : open.back(), CsvRole::kLabel);
}

void RoleFinder::fail_doubtful(const std::vector<int>& columns) const {
  std::string all;
  for (const int column : columns) {
    if (!all.empty()) all += column == columns.back() ? " or " : ", ";
    all += columns_.shown(column);
  }
  fail_usage("{}:1:1: the label may be in {}; set data.csv.label to {}{}", question_.name, all,
             columns_.reference(columns.front()),
             columns.size() > 1 ? ", or " + columns_.reference(columns.back()) : "");
}

bool is_one_hot(const CsvSample& sample, int first, int count) {
  std::vector<std::string_view> fields;
  for (const std::string_view line : sample.lines) {
    split_csv_line(line, sample.separator, fields);
    if (static_cast<int>(fields.size()) != sample.width) continue;
    double sum = 0;
    for (int i = first; i < first + count; ++i) {
      const auto value = number_of(bare_field(fields[static_cast<std::size_t>(i)]));
      if (!value || (*value != 0 && *value != 1)) return false;
      sum += *value;
    }
    if (sum != 1) return false;
  }
  return true;
}

}  // namespace

bool is_label_name(std::string_view name) {
  return place_in(kLabelNames, name) < std::ssize(kLabelNames);
}

void find_roles(const CsvQuestion& question, const CsvSample& sample, const CsvColumns& columns,
                CsvRoles& roles) {
  RoleFinder(question, sample, columns, roles).find();
}

bool are_counting(const std::vector<std::string_view>& values, std::size_t leading) {
  std::optional<std::int32_t> last;
  std::size_t steps = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::optional<std::int32_t> value = whole_number_of(values[i]);
    if (!value || (last && *value <= *last)) return false;
    if (i < leading && last && *value == *last + 1) ++steps;
    last = value;
  }
  const std::size_t most = std::min(values.size(), leading);
  return most > 2 && 2 * steps >= most;
}

void find_one_hot(const CsvQuestion& question, const CsvSample& sample, CsvRoles& roles) {
  if (question.csv.label_kind != LabelKind::kOneHot || roles.has_no_label) return;
  std::vector<int> open = roles.open();
  const int all = static_cast<int>(open.size()) + (roles.label ? 1 : 0);
  int pixels = question.shape ? question.shape->pixels() : 0;
  for (int n = all - 2; n > 0 && pixels == 0; --n) pixels = guessed_pixels(n);
  const int count = roles.has(CsvRole::kPixelList) ? all : all - pixels;
  const int width = static_cast<int>(roles.of.size());
  if (count < 2 || open.empty() || sample.width != width) {
    fail_usage("{}:1:1: {} columns beside {} pixels; expected a one-hot label of at least 2",
               question.name, count, pixels);
  }
  int first = open.front();
  if (roles.label) {
    first = std::min(*roles.label, width - count);
  } else {
    const bool begins = is_one_hot(sample, first, count);
    const bool ends = is_one_hot(sample, open.back() + 1 - count, count);
    if (begins == ends) {
      fail_usage(
          "{}:1:1: {} columns that begin or end the row may be the one-hot label; set "
          "data.csv.label to the first of them",
          question.name, count);
    }
    if (ends) first = open.back() + 1 - count;
  }
  for (int i = first; i < first + count; ++i) {
    const bool taken = roles.settled[static_cast<std::size_t>(i)] != 0 && i != roles.label;
    if (taken) {
      fail_usage("{}:1:1: column {} is among the {} of the one-hot label, and something else too",
                 question.name, i + 1, count);
    }
    roles.settle(i, CsvRole::kOneHot);
  }
  roles.label = first;
}

}  // namespace lockstep
