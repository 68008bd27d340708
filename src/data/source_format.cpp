#include "data/source_format.h"

#include <array>

namespace lockstep {

namespace {

constexpr std::array kFormats = {&kIdx};  // beside CSV, which has no mark

}  // namespace

SourceFiles::SourceFiles(Communicator& comm, const SourceOptions& source)
    : images(comm, source.path, source.member) {
  if (!source.labels.empty()) labels.emplace(comm, source.labels, "");
}

const SourceFormat& format_of(const SourceFiles& files) {
  for (const SourceFormat* format : kFormats) {
    if (format->recognizes(files)) return *format;
  }
  return kCsv;
}

FileRows read_part(Communicator& comm, const SourceFiles& files, const DataOptions& options,
                   Labels labels, FilePart part) {
  FileRows rows;
  comm.begin_long_work("reading the data", kEachRank);
  agree(comm, [&] { rows = format_of(files).read(files, options, labels, part); });
  return rows;
}

FileRows read_rows(Communicator& comm, const SourceOptions& source, const DataOptions& options,
                   Labels labels) {
  const SourceFiles files(comm, source);
  FileRows rows = read_part(comm, files, options, labels, {comm.rank(), comm.world_size()});
  rows.first = exclusive_scan(comm, rows.count);
  rows.total = rows.count;
  comm.sum(std::span(&rows.total, 1));
  return rows;
}

}  // namespace lockstep
