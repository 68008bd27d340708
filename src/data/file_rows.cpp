#include "data/file_rows.h"

#include <optional>

#include "data/csv.h"
#include "data/idx.h"
#include "data/source_text.h"

namespace lockstep {

FileRows read_rows(Communicator& comm, const SourceOptions& source, const DataOptions& options,
                   Labels labels) {
  const SourceText images(comm, source.path, source.member);
  std::optional<SourceText> label_text;
  if (!source.labels.empty()) label_text.emplace(comm, source.labels, "");
  FileRows rows;
  comm.begin_long_work("reading the data", kEachRank);
  agree(comm, [&] {
    const FilePart part{comm.rank(), comm.world_size()};
    if (label_text || is_idx(images.text())) {
      rows = parse_idx(images, label_text ? &*label_text : nullptr, options, labels, part);
    } else {
      rows = parse_csv(images, options, labels, part);
    }
  });
  rows.first = exclusive_scan(comm, rows.count);
  rows.total = rows.count;
  comm.sum(std::span(&rows.total, 1));
  return rows;
}

}  // namespace lockstep
