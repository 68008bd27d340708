// Texts of one row a line, with comments and blank lines between: ARFF and LIBSVM. Any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "data/csv_text.h"
#include "data/file_rows.h"

namespace lockstep {

// The lines that hold rows and begin in a part of the bytes of a text.
class RowLines {
 public:
  // Of text[body_first, ...); what follows `comment` at the begin of a line is none.
  RowLines(std::string_view text, std::size_t body_first, FilePart part, char comment);

  // Goes to the next line that holds a row; false behind the last.
  bool next();

  // Without its end, and without blanks around it.
  std::string_view line() const { return line_; }
  // Of the line's first byte in the text.
  std::size_t byte() const { return static_cast<std::size_t>(line_.data() - text_.data()); }

 private:
  std::string_view text_;
  std::string_view line_;
  std::size_t at_;
  std::size_t last_;
  char comment_;
};

// What a format is recognized by is in so many bytes.
inline constexpr std::size_t kRecognizedBytes = 1u << 20;

// "NAME:LINE:COLUMN" of a byte of a text, both from 1; a column counts bytes.
std::string place_in_text(const std::string& name, std::string_view text, std::size_t byte);

// A number as number_of() has it, or such a one with a plus before it.
std::optional<double> signed_number_of(std::string_view text);

}  // namespace lockstep
