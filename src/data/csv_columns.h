// The columns of a CSV file, their names, and what each is for. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/csv_look.h"
#include "data/csv_reading.h"
#include "data/csv_sample.h"

namespace lockstep {

class CsvColumns {
 public:
  // `names` are those of the header; empty without one.
  CsvColumns(std::vector<std::string> names, int count) : names_(std::move(names)), count_(count) {}

  int count() const { return count_; }
  const std::vector<std::string>& names() const { return names_; }
  std::string_view name(int index) const {
    return names_.empty() ? std::string_view() : names_[static_cast<std::size_t>(index)];
  }

  // The column that a setting means: its name, its index from 0, #INDEX, or LAST.
  std::optional<int> find(const std::string& said) const;
  // What find() finds the column by: its name, if it can.
  std::string reference(int index) const;
  // For messages.
  std::string shown(int index) const;

 private:
  std::vector<std::string> names_;
  int count_;
};

// Whether the first line is a header: kYes or kNo. Error (2): it may be or not.
Header find_header(const CsvQuestion& question, const CsvSample& sample);

// The names in the first line. Error (2): two are the same.
std::vector<std::string> read_names(const CsvQuestion& question, const CsvSample& sample);

struct CsvRoles {
  std::vector<CsvRole> of;    // by column
  std::vector<char> settled;  // by column; the others are pixels if nothing speaks against it
  std::optional<int> label;   // or the first column of a one-hot label
  bool has_no_label = false;

  void settle(int column, CsvRole role) {
    of[static_cast<std::size_t>(column)] = role;
    settled[static_cast<std::size_t>(column)] = 1;
    if (role == CsvRole::kLabel) label = column;
  }
  bool has(CsvRole role) const;
  std::vector<int> open() const;  // columns that are not settled
  bool wants_label() const { return !label && !has_no_label; }
};

// What the settings say. Error (2): no such column, two roles of one.
CsvRoles given_roles(const CsvQuestion& question, const CsvColumns& columns);

// What the names and the values of the others say. Error (2): more than one could be it.
void find_roles(const CsvQuestion& question, const CsvSample& sample, const CsvColumns& columns,
                CsvRoles& roles);

// Spreads the label over its columns, of a one-hot one. Error (2): it cannot be.
void find_one_hot(const CsvQuestion& question, const CsvSample& sample, CsvRoles& roles);

// Ones of a column's values: whether they count on from row to row, as numbers of rows do.
// `leading` of the values are of rows without a gap.
bool are_counting(const std::vector<std::string_view>& values, std::size_t leading);

// Whether a column of this name is one of labels.
bool is_label_name(std::string_view name);

// How many pixels a row of `columns` has, some of which are no pixels: those of a square
// image, or of one with three channels; 0 where no such image fits.
int guessed_pixels(int columns);

}  // namespace lockstep
