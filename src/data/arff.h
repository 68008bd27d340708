// ARFF, Weka's and OpenML's text of rows: a header that names the columns and their kinds, then
// "@data" and a row a line, dense (1, 2, 'a b') or sparse ({0 1, 2 'a b'}: what is left out is 0,
// or the first value of a nominal column). Lines that begin with % are comments.
//
// Plain values, which see the file's bytes. Any thread. Errors (2): "FILE:LINE:COLUMN: ...".
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "data/row_lines.h"

namespace lockstep {

inline constexpr std::size_t kMostArffColumns = 1'000'000;
inline constexpr std::size_t kMostArffValues = 1'000'000;  // of all nominal columns

enum class ArffKind : std::uint8_t { kNumber, kNominal, kText };

struct ArffColumn {
  std::string name;
  ArffKind kind = ArffKind::kNumber;
  std::vector<std::string> values;  // of a nominal column
};

struct ArffHeader {
  std::string relation;
  std::vector<ArffColumn> columns;
  std::size_t data_first = 0;  // byte of the text at which the line behind "@data" begins
};

// Whether the first line that is no comment begins with "@relation".
bool is_arff(std::string_view file);

ArffHeader parse_arff_header(std::string_view file, const std::string& name);

// The rows of a part. Not to be copied: fields see what it holds.
class ArffRows {
 public:
  // All three outlive it.
  ArffRows(std::string_view file, const std::string& name, const ArffHeader& header, FilePart part);
  ArffRows(const ArffRows&) = delete;
  ArffRows& operator=(const ArffRows&) = delete;

  bool next();

  // Of the row, by column, without quotes; a field with null data is missing ("?").
  const std::vector<std::string_view>& fields() const { return fields_; }
  // Where that field stands; of one that a sparse row leaves out, where the row does.
  std::string place(std::size_t column) const;

 private:
  std::size_t skip_blanks(std::size_t at) const;
  std::string_view take_field(std::size_t& at);
  std::size_t take_index(std::size_t& at, std::size_t least) const;
  void read_dense();
  void read_sparse();
  [[noreturn]] void fail(std::size_t at, std::string_view expected) const;

  std::string_view file_;
  const std::string& name_;
  const ArffHeader& header_;
  RowLines lines_;
  std::vector<std::string_view> fields_;
  std::vector<std::size_t> places_;         // in the line, of fields_
  std::vector<std::string_view> left_out_;  // what a sparse row means by nothing
  std::deque<std::string> unescaped_;       // of the row, seen by fields_
};

}  // namespace lockstep
