// Writes a file of rows (data/rows_file.h), by all ranks together. The file's bytes do not depend
// on their number, nor on how the rows are cut into parts.
//
// Made and destroyed by all ranks together. Errors (1, agreed): a failed write, a full disk, a
// folder that the hosts do not share. The file has its name once it is whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "data/file_rows.h"
#include "data/rows_facts.h"
#include "data/rows_layout.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/core/placed_file.h"

namespace lockstep {

class RowsWriter {
 public:
  // Collective. The rows that are added have the shape and type of `facts`.
  RowsWriter(Communicator& comm, const fs::path& path, RowsFacts facts, Synced synced);

  // Collective: the rows that follow, those of rank 0 first.
  void add(const FileRows& rows);

  std::int64_t rows() const { return before_.rows; }

  // Collective, once. Error (2, agreed) where there is no row, or some rows have labels, ids or
  // uses and others none.
  void finish(const ValueRange& range);

 private:
  // Of all ranks' rows, or of those before a part.
  struct Counts {
    std::int64_t rows = 0;
    std::int64_t labels = 0;
    std::int64_t uses = 0;
    std::int64_t ids = 0;
    std::int64_t id_bytes = 0;
  };
  // What one call of add() has given, in the columns below.
  struct Part {
    std::int64_t first_row;
    std::int64_t first_id_byte;
    std::size_t rows;
    std::size_t id_bytes;
    bool has_names;  // labels are numbers of names_ here, else the source's own numbers
  };

  std::int32_t number_of(const std::string& name);
  void name_numbers();
  void keep(const FileRows& rows);
  void name_labels();
  void write_columns(const RowsLayout& layout);
  void write_head(const RowsHead& head);

  Communicator& comm_;
  fs::path path_;
  RowsFacts facts_;
  Synced synced_;
  std::optional<PlacedFile> file_;
  Counts before_;
  std::vector<Part> parts_;
  // Of this rank's rows, part after part.
  std::vector<std::int32_t> labels_;
  std::vector<RowUse> uses_;
  std::vector<std::uint64_t> id_ends_;  // in the file's ids
  std::string ids_;
  std::vector<Digest> digests_;
  // Of this rank's rows, by the numbers that labels_ has.
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::int32_t> number_of_name_;
};

}  // namespace lockstep
