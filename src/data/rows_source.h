// A file of rows as a source.
#pragma once

#include <memory>

#include "data/rows_file.h"
#include "data/source.h"

namespace lockstep {

inline constexpr char kRowsFormat[] = "rows";

// What of a file's facts is for the reader of its source.
inline constexpr char kFoundFact[] = "found";

// One that `pack` has written: what options say of other formats does not matter.
std::unique_ptr<Source> rows_source(std::shared_ptr<const RowsFile> file);

// One of the cache: what was found out about the source that it stands for holds.
std::unique_ptr<Source> cached_source(std::shared_ptr<const RowsFile> file);

}  // namespace lockstep
