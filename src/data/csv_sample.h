// A look at some lines of a CSV file: its beginning, and lines spread over the rest, for
// files that are sorted by class. The same whoever looks. Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "data/csv_text.h"
#include "lockstep/data/options.h"

namespace lockstep {

enum class FieldKind {
  kByte,    // digits, at most 255
  kNumber,  // any other
  kList,    // numbers with blanks between
  kText,
  kEmpty,
};
FieldKind field_kind_of(std::string_view field);

// How many fields of a column are of each kind.
struct KindCounts {
  int bytes = 0;
  int numbers = 0;
  int lists = 0;
  int texts = 0;
  int empty = 0;

  int all() const { return bytes + numbers + lists + texts + empty; }
  // What most are; true of no column without lines.
  bool mostly_numbers() const { return 2 * (bytes + numbers) > all(); }
  bool mostly_lists() const { return 2 * lists > all(); }
  bool mostly_texts() const { return 2 * texts > all(); }
};

struct CsvSample {
  std::string_view first;               // the first line: a header, or a row
  std::vector<std::string_view> lines;  // others, none of them blank
  std::size_t leading = 0;              // how many of them follow the first without a gap
  char separator = ',';
  bool padded = false;             // blanks stand around numbers
  int width = 1;                   // fields of most lines; of the first where it is alone
  std::vector<KindCounts> counts;  // [width], of some of the lines of that width

  // The bare fields of a column, of the lines of that width.
  std::vector<std::string_view> column(int index) const;
};

// How much is looked at: of a file of which all is told, its beginning.
enum class Extent { kUsual, kBeginning };

// Error (2): no separator, or two, could be; a line that is longer than any row.
CsvSample sample_csv(const CsvContent& content, const std::string& name,
                     const std::string& separator, Extent extent);

}  // namespace lockstep
