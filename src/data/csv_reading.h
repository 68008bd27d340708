// How a CSV file is read: what is known of it before its rows are. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lockstep/data/options.h"

namespace lockstep {

enum class CsvRole : std::uint8_t {
  kPixels,
  kPixelList,  // all pixels in one field
  kLabel,
  kOneHot,  // one of as many columns as there are classes; a 1 stands in that of the label
  kId,
  kUse,
  kIgnored,
};

// Columns side by side of one role.
struct CsvRun {
  CsvRole role;
  int columns;
};

struct CsvReading {
  Header header = Header::kNo;
  char separator = ',';            // ' ': any number of blanks
  bool padded = false;             // blanks may stand around numbers
  std::vector<std::string> names;  // of all columns; empty without a header
  std::vector<CsvRun> runs;        // all columns, in order
  int columns = 0;
  int pixels = 0;  // of a row
  LabelKind label_kind = LabelKind::kNumber;
  PixelKind pixel_kind = PixelKind::kWhole;
  PixelLayout layout = PixelLayout::kInterleaved;

  // Where the first column of `role` is; -1: nowhere.
  int column_of(CsvRole role) const {
    int first = 0;
    for (const CsvRun& run : runs) {
      if (run.role == role) return first;
      first += run.columns;
    }
    return -1;
  }
  bool has(CsvRole role) const { return column_of(role) >= 0; }
  bool labelled() const { return has(CsvRole::kLabel) || has(CsvRole::kOneHot); }
};

}  // namespace lockstep
