// CSV of any dialect, as a source.

#include "data/csv_look.h"
#include "data/csv_rows.h"
#include "data/source_format.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

FileRows read_csv(const SourceFiles& files, const DataOptions& options, Labels labels,
                  FilePart part) {
  const SourceText& source = files.images;
  const CsvOptions csv;
  const CsvFound found =
      look_at_csv({source.text(), source.name(), csv, options.label_column, options.shape, labels});
  const CsvFile file = {csv_content(source.text(), source.name()), source.name(), found.reading};
  FileRows rows = read_csv_rows(file, options.shape, part);
  for (std::size_t i = 0; i < rows.labels.size(); ++i) {
    if (rows.labels[i] >= 0 && rows.labels[i] < options.classes) continue;
    fail_usage("{}: label {} is out of range; expected a label from 0 to {}",
               csv_label_place(file, part, static_cast<std::int64_t>(i)), rows.labels[i],
               options.classes - 1);
  }
  return rows;
}

SourceSizes csv_sizes(const SourceFiles& files, const std::string& label_column) {
  const CsvOptions csv;
  const CsvFound found = look_at_csv({files.images.text(), files.images.name(), csv, label_column,
                                      std::nullopt, Labels::kOptional});
  const int pixels = found.reading.pixels;
  const auto side_of = [](int area) {
    int side = 0;
    while (side * side < area) ++side;
    return side;
  };
  const int grey = side_of(pixels);
  const int colour = side_of(pixels / 3);
  if (grey * grey == pixels) return {{grey, grey, 1}, {}};
  if (3 * colour * colour == pixels) return {{colour, colour, 3}, {}};
  return {{1, pixels, 1}, {}};
}

}  // namespace

const SourceFormat kCsv = {.name = "CSV",
                           .recognizes = [](const SourceFiles&) { return true; },
                           .sizes = csv_sizes,
                           .read = read_csv};

}  // namespace lockstep
