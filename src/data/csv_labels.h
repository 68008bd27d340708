// Labels in a file of their own, beside images in a CSV file: one a line, or an id and a label,
// with or without a header. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/file_rows.h"
#include "data/source_text.h"
#include "lockstep/data/options.h"

namespace lockstep {

class CsvLabels {
 public:
  // For `rows` rows. `source` must outlive it. Error (2): its columns are not to be told apart,
  // its labels not as many as rows where no ids join them.
  CsvLabels(const SourceText& source, LabelKind kind, std::int64_t rows);

  // Puts labels to `rows`, which begin with row `first` of their source, `name`: by id where
  // both have ids, else by number. Error (2): a row without a label; ids that do not just count,
  // and rows without any.
  void join(FileRows& rows, std::int64_t first, const std::string& name) const;

 private:
  void find_columns(std::vector<std::string_view>& lines, std::int64_t rows);
  void read_lines(const std::vector<std::string_view>& lines, LabelKind kind);

  const std::string& name_;
  char separator_ = ',';
  int label_column_ = 0;
  int id_column_ = -1;
  std::vector<std::string_view> labels_;  // in order
  LabelKind kind_ = LabelKind::kNumber;
  std::unordered_map<std::string, std::size_t> places_;  // in labels_, by id
  bool ids_count_ = true;                                // from one to the next
};

}  // namespace lockstep
