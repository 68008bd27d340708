// Parses one row of a CSV file. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "data/csv_reading.h"
#include "data/file_rows.h"
#include "data/pixel_fields.h"

namespace lockstep {

// What a row says beside its pixels. Fields as they stand in the text.
struct CsvRow {
  std::int32_t label = 0;       // a number, or the place of the 1 in a one-hot label
  std::string_view label_text;  // where labels are texts
  std::string_view id;
  RowUse use = RowUse::kTraining;
};

class CsvRowParser {
 public:
  // `reading` must outlive it.
  explicit CsvRowParser(const CsvReading& reading);

  // Whether parse() reads rows of this kind at all.
  bool is_fast() const { return fast_; }

  // Parses the row at `text`, which must go on for row_bytes() and have
  // kPixelLookBackBytes before it; the start of the next row, or null for a row that
  // is not plain, as most are, or not as it should be.
  const char* parse(const char* text, std::uint8_t* pixels, CsvRow& row) const;

  // The same for any row that can be read, of a text up to `end`.
  template <typename Pixel>
  const char* parse_any(const char* text, const char* end, Pixel* pixels, CsvRow& row) const;

  // The most that parse() looks at.
  std::size_t row_bytes() const { return row_bytes_; }

 private:
  // Of one run, the text behind it and its separator or, of the last one, before the
  // line's end; or null.
  const char* parse_run(const char* text, CsvRun run, bool last, std::uint8_t*& pixels,
                        CsvRow& row) const;
  const char* parse_list(const char* text, std::uint8_t*& pixels) const;
  const char* parse_text(const char* text, CsvRole role, CsvRow& row) const;
  template <typename Pixel>
  bool take_list(std::string_view field, Pixel* pixels) const;
  bool take_field(std::string_view field, CsvRole role, int place, CsvRow& row) const;
  // A field without quotes, and without blanks where they may be.
  std::string_view bare(std::string_view field) const;

  const CsvReading& reading_;
  bool fast_;
  std::size_t row_bytes_;
  PixelParser parse_pixels_;
  PixelParser parse_list_;
};

// The value of a bare field that is a pixel; false for no number or one that does not fit.
bool take_pixel(std::string_view field, std::uint8_t& value);
bool take_pixel(std::string_view field, float& value);

}  // namespace lockstep
