// The table of the formats of a source: a format is one file of sources and one line of the
// table in source_format.cpp.
#pragma once

#include <optional>
#include <string>

#include "data/file_rows.h"
#include "data/source_text.h"

namespace lockstep {

// The files of a source, opened. Made and destroyed by all ranks together.
struct SourceFiles {
  // Collective. Errors (2, agreed) as of SourceText.
  SourceFiles(Communicator& comm, const SourceOptions& source);

  SourceText images;                 // or whole rows
  std::optional<SourceText> labels;  // where they are in a file of their own
};

// What a source says of itself before its rows are read.
struct SourceSizes {
  ImageShape shape;  // a guess where the format does not tell
  std::optional<std::int64_t> rows;
};

// Errors (2) of its functions name file and place.
struct SourceFormat {
  const char* name;
  // By what the files begin with.
  bool (*recognizes)(const SourceFiles& files);
  // Labels among the pixels stand in `label_column`, if there is one.
  SourceSizes (*sizes)(const SourceFiles& files, const std::string& label_column);
  // The rows of `part`; `first` and `total` are not yet known.
  FileRows (*read)(const SourceFiles& files, const DataOptions& options, Labels labels,
                   FilePart part);
};

extern const SourceFormat kIdx;
extern const SourceFormat kCsv;

// Any thread. What no other format recognizes is CSV: its reader says what is wrong.
const SourceFormat& format_of(const SourceFiles& files);

// Collective: the rows of each rank's `part`. Errors are agreed.
FileRows read_part(Communicator& comm, const SourceFiles& files, const DataOptions& options,
                   Labels labels, FilePart part);

// Collective: this rank's part of `source`. Errors (2, agreed) name file, line
// and column.
FileRows read_rows(Communicator& comm, const SourceOptions& source, const DataOptions& options,
                   Labels labels);

}  // namespace lockstep
