// A source of rows, opened. Made and destroyed by all ranks together; what is marked Local may
// be called by any thread. Errors (2) name file and place.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "data/class_labels.h"
#include "data/file_rows.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/data/options.h"
#include "lockstep/data/row_share.h"

namespace lockstep {

// What can be known of a source without reading its rows.
struct Look {
  DataOptions options;               // those given, with what was found in place of AUTO
  std::string found;                 // the same in words, for one line; may be empty
  std::optional<std::int64_t> rows;  // where the format tells
};

enum class Cost {
  kRead,    // hardly more than to read them from the disk
  kUnpack,  // to unpack a text
  kDecode,  // to decode each picture
};

class Source {
 public:
  virtual ~Source() = default;

  // Local, all of them.
  virtual const char* format() const = 0;
  virtual const std::string& name() const = 0;     // for errors
  virtual std::uint64_t bytes() const = 0;         // unpacked
  virtual std::uint64_t packed_bytes() const = 0;  // as they lie in a packed file; 0 otherwise

  // What it takes to have the rows in memory.
  virtual Cost cost() const { return packed_bytes() > 0 ? Cost::kUnpack : Cost::kRead; }

  // The shape of the images; a guess where the format does not tell.
  virtual ImageShape shape(const DataOptions& options) const = 0;

  // A function of its arguments and the files, so the same on every rank. Error (2): two
  // readings are as likely, or `options` contradict the files.
  virtual Look look(const DataOptions& options, Labels labels) const = 0;

  // The rows of `part`, by what look() gave; `first` and `total` are not yet known.
  virtual FileRows read(const DataOptions& options, Labels labels, FilePart part) const = 0;

  // Where the label of row `index` of a part is: FILE:LINE:COLUMN, or the like.
  virtual std::string place_of_label(const DataOptions& options, FilePart part,
                                     std::int64_t index) const = 0;
};

// Collective: the source of the format that recognizes the files. Errors (2, agreed).
std::unique_ptr<Source> open_source(Communicator& comm, const SourceOptions& source);

// Rows with their classes as labels, and what was found out on the way.
struct ReadRows {
  FileRows rows;
  DataOptions options;
  std::string found;
  std::optional<std::int64_t> told_rows;  // of the source, where the format tells
};

// Collective: the rows of each rank's `part`, of one PixelType, their labels the classes
// that options.labels gives or that all labels together make. Errors (2, agreed) name file,
// line and column.
ReadRows read_part(Communicator& comm, const Source& source, const DataOptions& options,
                   Labels labels, Classes classes, FilePart part);

// Collective: this rank's part of `source`, one of as many as there are ranks.
ReadRows read_rows(Communicator& comm, const SourceOptions& source, const DataOptions& options,
                   Labels labels, Classes classes);

}  // namespace lockstep
