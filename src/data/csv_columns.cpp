#include "data/csv_columns.h"

#include <algorithm>
#include <charconv>

#include "data/rows_builder.h"
#include "lockstep/core/error.h"
#include "lockstep/core/names.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

constexpr const char* kLast = "LAST";
constexpr const char* kNone = "NONE";
constexpr const char* kUsualLabelColumn = "label";

const char* word_of(CsvRole role) {
  switch (role) {
    case CsvRole::kPixels:
      return "pixels";
    case CsvRole::kPixelList:
      return "the list of pixels";
    case CsvRole::kLabel:
    case CsvRole::kOneHot:
      return "the label";
    case CsvRole::kId:
      return "the id";
    case CsvRole::kUse:
      return "the split";
    case CsvRole::kIgnored:
      return "ignored";
  }
  return "";
}

// The roles that settings give, one after the other.
class GivenRoles {
 public:
  GivenRoles(const CsvQuestion& question, const CsvColumns& columns)
      : question_(question), columns_(columns) {
    const auto count = static_cast<std::size_t>(columns.count());
    roles_.of.resize(count, CsvRole::kPixels);
    roles_.settled.resize(count);
  }

  // Of a source that need not have labels, what it lacks is no fault: it may be the test set
  // of an experiment whose settings are for its training set.
  void give(const char* setting, const std::string& said, CsvRole role) {
    if (said.empty()) return;
    const std::optional<int> column = columns_.find(said);
    if (!column && role != CsvRole::kPixelList && question_.labels == Labels::kOptional) {
      if (role == CsvRole::kLabel) roles_.has_no_label = true;
      return;
    }
    if (!column) fail_missing(setting, said);
    const auto at = static_cast<std::size_t>(*column);
    if (roles_.settled[at] != 0) {
      fail_usage("{}:1:1: {} is {} and {}, as data.csv says; expected one of them", question_.name,
                 columns_.shown(*column), word_of(roles_.of[at]), word_of(role));
    }
    roles_.settle(*column, role);
  }

  void give_label() {
    const std::string& said = question_.csv.label;
    if (said == kNone) {
      roles_.has_no_label = true;
    } else if (!said.empty()) {
      give("data.csv.label", said, CsvRole::kLabel);
    } else if (std::ranges::find(columns_.names(), question_.label_column) !=
               columns_.names().end()) {
      give("data.label_column", question_.label_column, CsvRole::kLabel);
    } else if (question_.label_column != kUsualLabelColumn) {
      if (question_.labels == Labels::kRequired) {
        fail_missing("data.label_column", question_.label_column);
      }
      roles_.has_no_label = true;
    }
  }

  CsvRoles take() { return std::move(roles_); }

 private:
  [[noreturn]] void fail_missing(const char* setting, const std::string& said) const {
    if (columns_.names().empty()) {
      fail_usage("{}:1:1: no header, so no column \"{}\" for {}; expected an index from 0 to {}",
                 question_.name, said, setting, columns_.count() - 1);
    }
    fail_usage("{}:1:1: no column \"{}\" in the header{}; its first of {} is {}", question_.name,
               said, did_you_mean(said, columns_.names()), count_of(columns_.count(), "column"),
               shown_field(columns_.names().front()));
  }

  const CsvQuestion& question_;
  const CsvColumns& columns_;
  CsvRoles roles_;
};

}  // namespace

std::optional<int> CsvColumns::find(const std::string& said) const {
  const auto found = std::ranges::find(names_, said);
  if (found != names_.end()) return static_cast<int>(found - names_.begin());
  if (said == kLast) return count_ - 1;
  const std::string_view digits = std::string_view(said).substr(said.starts_with('#') ? 1 : 0);
  int index = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  const bool whole = fault == std::errc() && end == digits.data() + digits.size();
  if (!whole || index < 0 || index >= count_) return std::nullopt;
  return index;
}

std::string CsvColumns::reference(int index) const {
  for (const std::string& said : {std::string(name(index)), fmt::format("{}", index)}) {
    if (!said.empty() && said != kNone && find(said) == index) return said;
  }
  return fmt::format("#{}", index);
}

std::string CsvColumns::shown(int index) const {
  if (!name(index).empty()) return fmt::format("column {}", shown_field(name(index)));
  if (index == 0) return "the first column";
  if (index == count_ - 1) return "the last column";
  return fmt::format("column {}", index + 1);
}

bool CsvRoles::has(CsvRole role) const { return std::ranges::find(of, role) != of.end(); }

std::vector<int> CsvRoles::open() const {
  std::vector<int> columns;
  for (std::size_t i = 0; i < settled.size(); ++i) {
    if (settled[i] == 0) columns.push_back(static_cast<int>(i));
  }
  return columns;
}

CsvRoles given_roles(const CsvQuestion& question, const CsvColumns& columns) {
  GivenRoles given(question, columns);
  for (const std::string& column : question.csv.ignore) {
    given.give("data.csv.ignore", column, CsvRole::kIgnored);
  }
  given.give("data.csv.id", question.csv.id, CsvRole::kId);
  given.give("data.csv.split", question.csv.split, CsvRole::kUse);
  given.give("data.csv.pixel_list", question.csv.pixel_list, CsvRole::kPixelList);
  given.give_label();
  return given.take();
}

int guessed_pixels(int columns) {
  const ImageShape shape = guessed_shape(columns);
  return columns > 0 && shape.height == shape.width ? columns : 0;
}

}  // namespace lockstep
