// Reader of IDX files, the format of MNIST: a big-endian magic number, the sizes,
// then the bytes.
#pragma once

#include <string_view>

#include "data/file_rows.h"
#include "data/source_text.h"

namespace lockstep {

// Whether a file starts as IDX images or labels do. Any thread.
bool is_idx(std::string_view file);

// What the header of IDX images says. Local. Error (2): another magic number, sizes
// that do not agree with the file.
struct IdxSizes {
  std::int64_t rows = 0;
  ImageShape shape;
};
IdxSizes read_idx_sizes(const SourceText& images);

// Local: the images of `part` of all rows, in equal parts by row, with their
// labels unless `label_source` is null. Error (2): another magic number, sizes
// that do not agree with the file, the shape or each other, a label out of range,
// no labels though they are required.
FileRows parse_idx(const SourceText& images, const SourceText* label_source,
                   const DataOptions& options, Labels labels, FilePart part);

}  // namespace lockstep
