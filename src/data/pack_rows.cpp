#include "data/pack_rows.h"

#include <algorithm>
#include <optional>

#include "data/row_values.h"
#include "data/rows_source.h"
#include "data/rows_writer.h"
#include "data/source_settings.h"

namespace lockstep {

namespace {

RowsFacts facts_of(const Source& source, const Look& look, PixelType type,
                   const std::string& source_digest) {
  RowsFacts facts;
  facts.shape = look.options.shape;
  facts.type = type;
  facts.source = source.name();
  facts.source_digest = source_digest;
  facts.made_with = source_settings(look.options);
  facts.made_with[kFoundFact] = look.found;
  return facts;
}

// Collective: the rows as a file of bytes, or of floats; none where they are no bytes.
std::optional<std::int64_t> write_rows(Communicator& comm, const Source& source, const Look& look,
                                       Labels labels, PixelType type,
                                       const PackedFileOptions& file) {
  const auto world = static_cast<std::uint64_t>(comm.world_size());
  const auto rounds = static_cast<int>(
      estimated_bytes(source, look) / (world * std::max<std::uint64_t>(file.most_bytes, 1)) + 1);
  RowsWriter writer(comm, file.path, facts_of(source, look, type, file.source_digest), file.synced);
  Extremes extremes;
  for (int round = 0; round < rounds; ++round) {
    const FilePart part{round * comm.world_size() + comm.rank(), rounds * comm.world_size()};
    FileRows rows;
    std::int64_t unfit = 0;
    comm.begin_long_work("decoding rows", kEachRank);
    agree(comm, [&] {
      rows = source.read(look.options, labels, part);
      unfit = type == PixelType::kByte && !are_bytes(rows) ? 1 : 0;
    });
    comm.sum(std::span(&unfit, 1));
    if (unfit > 0) return std::nullopt;
    convert(rows, type);
    if (rows.count > 0) extremes.join(extremes_of(rows));
    writer.add(rows);
  }
  for (const Extremes& each : gather_values(comm, extremes)) extremes.join(each);
  writer.finish({extremes.least, extremes.most});
  return writer.rows();
}

}  // namespace

std::uint64_t estimated_bytes(const Source& source, const Look& look) {
  const auto row_bytes = static_cast<std::uint64_t>(look.options.shape.pixels());
  const auto rows = static_cast<std::uint64_t>(look.rows.value_or(0));
  if (!look.rows) return source.bytes();
  // Values that are no bytes take as much here as there.
  return source.cost() == Cost::kDecode ? rows * row_bytes
                                        : std::max(rows * row_bytes, source.bytes());
}

std::int64_t pack_rows(Communicator& comm, const Source& source, const DataOptions& options,
                       Labels labels, const PackedFileOptions& file) {
  Look look;
  agree(comm, [&] { look = source.look(options, labels); });
  // Which of the two it must be shows where all rows were seen; mostly bytes.
  for (const PixelType type : {PixelType::kByte, PixelType::kFloat}) {
    if (const auto rows = write_rows(comm, source, look, labels, type, file)) return *rows;
  }
  return 0;
}

}  // namespace lockstep
