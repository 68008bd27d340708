// What all sources have in common once a part of their rows is read.

#include "data/class_labels.h"
#include "data/row_cache.h"
#include "data/row_values.h"
#include "data/source.h"

namespace lockstep {

namespace {

// Collective: bytes on all ranks where all their values are such, else floats.
void settle_type(Communicator& comm, FileRows& rows) {
  if (rows.file != nullptr) return;  // who wrote it has settled that
  std::int64_t unfit = are_bytes(rows) ? 0 : 1;
  comm.sum(std::span(&unfit, 1));
  convert(rows, unfit == 0 ? PixelType::kByte : PixelType::kFloat);
}

ValueRange find_range(Communicator& comm, const FileRows& rows) {
  Extremes all = extremes_of(rows);
  for (const Extremes& each : gather_values(comm, all)) all.join(each);
  return range_of(all);
}

}  // namespace

ReadRows read_part(Communicator& comm, const Source& source, const DataOptions& options,
                   Labels labels, Classes classes, FilePart part) {
  ReadRows read;
  Look look;
  comm.begin_long_work("reading the data", kEachRank);
  agree(comm, [&] {
    look = source.look(options, labels);
    read.rows = source.read(look.options, labels, part);
  });
  read.options = std::move(look.options);
  read.found = std::move(look.found);
  read.told_rows = look.rows;
  settle_type(comm, read.rows);
  settle_classes(comm, read.rows, read.options, classes, [&](std::int64_t index) {
    return source.place_of_label(read.options, part, index);
  });
  if (read.options.range.given()) return read;
  read.options.range = find_range(comm, read.rows);
  if (read.options.range != kByteRange) {
    read.found += fmt::format("{}values run from {:g} to {:g}", read.found.empty() ? "" : "; ",
                              read.options.range.lowest, read.options.range.highest);
  }
  return read;
}

ReadRows read_rows(Communicator& comm, const SourceOptions& source, const DataOptions& options,
                   Labels labels, Classes classes) {
  const auto opened = open_decoded(comm, source, options, labels);
  ReadRows read =
      read_part(comm, *opened, options, labels, classes, {comm.rank(), comm.world_size()});
  FileRows& rows = read.rows;
  rows.first = exclusive_scan(comm, rows.count);
  rows.total = rows.count;
  comm.sum(std::span(&rows.total, 1));
  return read;
}

}  // namespace lockstep
