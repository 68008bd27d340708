#include "data/csv_look.h"

#include <algorithm>

#include "data/csv_columns.h"
#include "data/csv_sample.h"
#include "data/csv_text.h"
#include "lockstep/core/error.h"
#include "lockstep/core/names.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

std::vector<CsvRun> runs_of(const std::vector<CsvRole>& roles) {
  std::vector<CsvRun> runs;
  for (const CsvRole role : roles) {
    const bool joins =
        role == CsvRole::kPixels || role == CsvRole::kOneHot || role == CsvRole::kIgnored;
    if (joins && !runs.empty() && runs.back().role == role) {
      ++runs.back().columns;
    } else {
      runs.push_back({role, 1});
    }
  }
  return runs;
}

int numbers_in(std::string_view list) {
  std::vector<std::string_view> numbers;
  split_csv_line(list, ' ', numbers);
  return static_cast<int>(numbers.size());
}

// Whether the settings leave nothing to find but what they can do without.
bool are_told(const CsvOptions& csv) {
  return csv.header != Header::kAuto && !csv.separator.empty() && !csv.label.empty() &&
         csv.label_kind != LabelKind::kAuto && csv.pixels != PixelKind::kAuto;
}

// One look at a file, step by step.
class CsvLook {
 public:
  CsvLook(const CsvQuestion& question, Extent extent)
      : question_(question),
        content_(csv_content(question.text, question.name)),
        sample_(sample_csv(content_, question.name, question.csv.separator, extent)),
        columns_(look_at_header()),
        roles_(given_roles(question, columns_)) {
    drop_label_that_is_not_there();
  }

  // Whether the settings say what each column is.
  bool is_complete() const {
    const bool list = roles_.has(CsvRole::kPixelList);
    const std::size_t pixels =
        question_.shape ? static_cast<std::size_t>(question_.shape->pixels()) : 0;
    const bool one_hot = question_.csv.label_kind == LabelKind::kOneHot && are_told(question_.csv);
    return question_.shape && (one_hot || roles_.open().size() == (list ? 0 : pixels));
  }

  CsvFound found() {
    check_rows();
    CsvRoles roles = roles_;
    if (!is_complete()) find_roles(question_, sample_, columns_, roles);
    find_one_hot(question_, sample_, roles);
    reading_.separator = sample_.separator;
    reading_.padded = sample_.padded;
    reading_.names = columns_.names();
    reading_.columns = columns_.count();
    reading_.runs = runs_of(roles.of);
    reading_.layout = question_.csv.layout;
    check_label(roles);
    check_pixels(roles);
    reading_.label_kind = label_kind_of(roles);
    reading_.pixel_kind = pixel_kind_of(roles);
    return {reading_, options_of(roles), said_of(roles)};
  }

 private:
  CsvColumns look_at_header() {
    reading_.header = find_header(question_, sample_);
    if (reading_.header == Header::kNo) return CsvColumns({}, sample_.width);
    std::vector<std::string> names = read_names(question_, sample_);
    const int count = static_cast<int>(names.size());
    return CsvColumns(std::move(names), count);
  }

  bool has_header() const { return reading_.header == Header::kYes; }
  bool is_known(int column) const { return column < static_cast<int>(sample_.counts.size()); }

  // Of rows without a header that need not have labels, whether the given one is there shows
  // in their number.
  void drop_label_that_is_not_there() {
    if (has_header() || question_.labels == Labels::kRequired || !roles_.label) return;
    if (!question_.shape || question_.csv.label_kind == LabelKind::kOneHot) return;
    const auto pixels = static_cast<std::size_t>(question_.shape->pixels());
    const auto label = static_cast<std::size_t>(*roles_.label);
    if (roles_.open().size() + 1 != pixels || roles_.has(CsvRole::kPixelList)) return;
    roles_.of[label] = CsvRole::kPixels;
    roles_.settled[label] = 0;
    roles_.label.reset();
    roles_.has_no_label = true;
  }

  void check_rows() const {
    if (!has_header() || !sample_.lines.empty()) return;
    fail_usage("{}:2:1: no row follows the header; expected at least one", question_.name);
  }

  void check_label(const CsvRoles& roles) const;
  [[noreturn]] void fail_without_pixels() const;
  void check_pixels(const CsvRoles& roles);
  LabelKind label_kind_of(const CsvRoles& roles) const;
  PixelKind pixel_kind_of(const CsvRoles& roles) const;
  CsvOptions options_of(const CsvRoles& roles) const;
  std::string said_of(const CsvRoles& roles) const;

  const CsvQuestion& question_;
  CsvReading reading_;
  CsvContent content_;
  CsvSample sample_;
  CsvColumns columns_;
  CsvRoles roles_;  // that the settings give
};

void CsvLook::check_label(const CsvRoles& roles) const {
  if (roles.label || question_.labels == Labels::kOptional) return;
  if (!has_header()) {
    fail_usage("{}:1:1: no label in {} without a header; set data.csv.label to its index",
               question_.name, count_of(columns_.count(), "column"));
  }
  const std::string& wanted =
      question_.csv.label.empty() ? question_.label_column : question_.csv.label;
  std::string others;
  for (int i = 0; i < columns_.count(); ++i) {
    if (roles.of[static_cast<std::size_t>(i)] != CsvRole::kIgnored) continue;
    others += (others.empty() ? "; it may be " : " or ") + columns_.shown(i);
  }
  fail_usage(
      "{}:1:1: no column \"{}\" in the header{}{}; its first of {} is {}; set data.csv.label",
      question_.name, wanted, did_you_mean(wanted, columns_.names()), others,
      count_of(columns_.count(), "column"), shown_field(columns_.names().front()));
}

void CsvLook::fail_without_pixels() const {
  for (int i = 0; i < columns_.count() && is_known(i); ++i) {
    if (!sample_.counts[static_cast<std::size_t>(i)].mostly_texts()) continue;
    fail_usage("{}:1:1: no column of pixels; {} holds texts such as {}; expected numbers",
               question_.name, columns_.shown(i), shown_field(sample_.column(i).front()));
  }
  fail_usage("{}:1:1: no column of pixels among {}; expected some", question_.name,
             count_of(columns_.count(), "column"));
}

void CsvLook::check_pixels(const CsvRoles& roles) {
  if (roles.has(CsvRole::kPixelList)) {
    const int column = reading_.column_of(CsvRole::kPixelList);
    const auto lists = sample_.column(is_known(column) ? column : 0);
    if (roles.has(CsvRole::kPixels)) {
      fail_usage(
          "{}:1:1: {} holds lists of pixels, and other columns are pixels too; set "
          "data.csv.ignore",
          question_.name, columns_.shown(column));
    }
    reading_.pixels = question_.shape ? question_.shape->pixels()
                      : lists.empty() ? numbers_in(bare_field(sample_.first))
                                      : numbers_in(lists.front());
    return;
  }
  const auto found = static_cast<int>(std::ranges::count(roles.of, CsvRole::kPixels));
  if (found == 0) fail_without_pixels();
  reading_.pixels = found;
  if (!question_.shape || found == question_.shape->pixels()) return;
  const auto& [height, width, channels] = *question_.shape;
  const std::string beside = roles.label ? "besides " + columns_.shown(*roles.label)
                             : has_header()
                                 ? fmt::format("and no column \"{}\"", question_.label_column)
                                 : "and no label";
  fail_usage("{}:1:1: {} {}; expected {} for images of {}x{}x{}", question_.name,
             count_of(found, "pixel column"), beside, question_.shape->pixels(), height, width,
             channels);
}

LabelKind CsvLook::label_kind_of(const CsvRoles& roles) const {
  if (question_.csv.label_kind != LabelKind::kAuto) return question_.csv.label_kind;
  if (!roles.label || !is_known(*roles.label)) return LabelKind::kNumber;
  if (!sample_.counts[static_cast<std::size_t>(*roles.label)].mostly_numbers()) {
    return sample_.lines.empty() ? LabelKind::kNumber : LabelKind::kText;
  }
  const auto values = sample_.column(*roles.label);
  const auto is_part = [](std::string_view value) {
    return number_of(value) && !whole_number_of(value);
  };
  const auto parts = std::ranges::count_if(values, is_part);
  if (2 * parts <= std::ssize(values)) return LabelKind::kNumber;
  fail_usage(
      "{}:1:1: the labels in {} are numbers with a fraction ({}); expected classes; as texts: set "
      "data.csv.label_kind to TEXT",
      question_.name, columns_.shown(*roles.label),
      shown_field(*std::ranges::find_if(values, is_part)));
}

// A number that is no byte in few of the lines is a fault of those, which the reader names;
// where there are but few lines, a whole number is one in any of them.
PixelKind CsvLook::pixel_kind_of(const CsvRoles& roles) const {
  if (question_.csv.pixels != PixelKind::kAuto) return question_.csv.pixels;
  const bool list = roles.has(CsvRole::kPixelList);
  bool any = list;
  for (std::size_t i = 0; i < sample_.counts.size() && i < roles.of.size(); ++i) {
    any = any || (roles.of[i] == CsvRole::kPixels && sample_.counts[i].numbers > 0);
  }
  if (!any) return PixelKind::kWhole;
  int lines = 0;
  int real = 0;
  std::vector<std::string_view> fields;
  std::vector<std::string_view> numbers;
  constexpr std::size_t kEnough = 8;  // lines
  const bool few = sample_.lines.size() < kEnough;
  const auto is_real = [few](std::string_view field) {
    return field_kind_of(field) == FieldKind::kNumber &&
           !(few && field.find_first_of(".eE") == std::string_view::npos);
  };
  for (const std::string_view line : sample_.lines) {
    split_csv_line(line, sample_.separator, fields);
    if (fields.size() != roles.of.size()) continue;
    bool found = false;
    for (std::size_t i = 0; i < fields.size() && !found; ++i) {
      if (roles.of[i] == CsvRole::kPixels) found = is_real(fields[i]);
      if (roles.of[i] != CsvRole::kPixelList) continue;
      split_csv_line(bare_field(fields[i]), ' ', numbers);
      found = std::ranges::any_of(numbers, is_real);
    }
    ++lines;
    if (found) ++real;
  }
  return 2 * real > lines ? PixelKind::kReal : PixelKind::kWhole;
}

CsvOptions CsvLook::options_of(const CsvRoles& roles) const {
  CsvOptions options = question_.csv;
  options.header = reading_.header;
  options.separator = std::string(1, reading_.separator);
  options.label = roles.label ? columns_.reference(*roles.label) : "NONE";
  options.label_kind = reading_.label_kind;
  options.pixels = reading_.pixel_kind;
  options.ignore.clear();
  for (std::size_t i = 0; i < roles.of.size(); ++i) {
    const auto column = [&] { return columns_.reference(static_cast<int>(i)); };
    if (roles.of[i] == CsvRole::kIgnored) options.ignore.push_back(column());
    if (roles.of[i] == CsvRole::kId) options.id = column();
    if (roles.of[i] == CsvRole::kUse) options.split = column();
    if (roles.of[i] == CsvRole::kPixelList) options.pixel_list = column();
  }
  return options;
}

std::string CsvLook::said_of(const CsvRoles& roles) const {
  std::string said = has_header() ? "header" : "no header";
  if (reading_.separator == '\t') said += "; tabs between";
  if (reading_.separator == ' ') said += "; blanks between";
  if (reading_.separator == ';') said += "; ';' between";
  const bool one_hot = reading_.has(CsvRole::kOneHot);
  said += roles.label ? "; label: " + columns_.shown(*roles.label) : std::string("; no label");
  if (one_hot) said += " and on, one-hot";
  if (roles.label && reading_.label_kind == LabelKind::kText) said += ", text";
  const auto add = [&](CsvRole role, const char* what) {
    std::string all;
    for (std::size_t i = 0; i < roles.of.size(); ++i) {
      if (roles.of[i] != role) continue;
      all += (all.empty() ? "" : ", ") + columns_.shown(static_cast<int>(i));
    }
    constexpr std::ptrdiff_t kMostNamed = 4;
    const auto count = std::ranges::count(roles.of, role);
    if (count > kMostNamed) all = count_of(count, "column");
    if (count > 0) said += fmt::format("; {}: {}", what, all);
  };
  add(CsvRole::kId, "id");
  add(CsvRole::kUse, "split");
  add(CsvRole::kPixelList, "all pixels");
  add(CsvRole::kIgnored, "ignored");
  said += reading_.pixel_kind == PixelKind::kWhole ? "; pixels 0 to 255" : "; real pixels";
  if (reading_.layout == PixelLayout::kPlanar) said += ", planes of channels";
  if (reading_.layout == PixelLayout::kTransposed) said += ", column after column";
  return said;
}

}  // namespace

CsvFound look_at_csv(const CsvQuestion& question) {
  if (are_told(question.csv)) {
    CsvLook look(question, Extent::kBeginning);
    if (look.is_complete()) return look.found();
  }
  return CsvLook(question, Extent::kUsual).found();
}

}  // namespace lockstep
