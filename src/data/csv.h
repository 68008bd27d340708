// Strict reader of CSV files with a header line, pixel columns and a label column.
//
// A row is one line of unquoted whole numbers: no spaces, no empty fields. LF or
// CRLF, a byte order mark and blank lines at the very end are accepted.
#pragma once

#include "data/file_rows.h"
#include "data/source_text.h"

namespace lockstep {

// Local: the rows of `source` that start in `part` of its bytes; `first` and
// `total` are not yet known. Error (2): FILE:LINE:COLUMN: what was seen and
// expected, of the first bad row of the part (columns count bytes from 1).
FileRows parse_csv(const SourceText& source, const DataOptions& options, Labels labels,
                   FilePart part);

}  // namespace lockstep
