#include "lockstep/data/survey.h"

#include <algorithm>
#include <optional>

#include "data/deal.h"
#include "data/pixel_layout.h"
#include "data/source_format.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

constexpr int kMostClasses = 65536;  // that an experiment may have
constexpr std::int64_t kFirstRows = 8;

// Counts what this rank has read, then sums over the ranks.
void count_rows(Communicator& comm, const FileRows& rows, SourceSurvey& survey) {
  for (const std::int32_t label : rows.labels) {
    ++survey.class_counts[static_cast<std::size_t>(label)];
  }
  const std::uint8_t* const pixels = rows.pixels.data();
  for (std::int64_t i = 0; i < rows.count * rows.pixels_per_row; ++i) {
    ++survey.pixel_counts[pixels[i]];
  }
  survey.rows_read = rows.count;
  comm.sum(survey.class_counts);
  comm.sum(survey.pixel_counts);
  comm.sum(std::span(&survey.rows_read, 1));
}

}  // namespace

SourceSurvey survey(Communicator& comm, const SourceOptions& source, const DataOptions& options,
                    Labels labels, std::uint64_t most_bytes) {
  const SourceFiles files(comm, source);
  const SourceFormat& format = format_of(files);
  SourceSurvey survey;
  survey.name = files.images.name();
  survey.format = format.name;
  survey.bytes = files.images.text().size();
  survey.packed_bytes = files.images.packed_bytes();
  survey.class_counts.resize(static_cast<std::size_t>(options.classes));
  // Each rank reads the first of its parts of the file.
  const auto world = static_cast<std::uint64_t>(comm.world_size());
  const auto parts_a_rank = static_cast<int>(survey.bytes / (most_bytes * world)) + 1;
  const FileRows rows = read_part(comm, files, options, labels,
                                  {comm.rank() * parts_a_rank, comm.world_size() * parts_a_rank});
  survey.labelled = rows.labelled;
  count_rows(comm, rows, survey);
  survey.layout_doubt = layout_doubt(comm, rows, options.shape);
  const std::optional<std::int64_t> told = format.sizes(files, options.label_column).rows;
  survey.rows = told.value_or(survey.rows_read * parts_a_rank);
  if (!told && parts_a_rank > 1) survey.row_count = RowCount::kEstimated;
  for (std::int64_t i = 0; comm.rank() == 0 && i < std::min(rows.count, kFirstRows); ++i) {
    survey.first_rows.push_back({static_cast<std::uint64_t>(i),
                                 rows.label(i),
                                 {rows.row(i), rows.row(i) + rows.pixels_per_row}});
  }
  return survey;
}

SplitSizes split_sizes(std::span<const std::int64_t> class_counts,
                       const ValidationOptions& validation) {
  const Deal deal(class_counts, validation, /*seed=*/0);
  return {deal.training_rows(), deal.validation_rows()};
}

DataOptions guess_options(const SourceOptions& source, const std::string& label_column) {
  const auto alone = connect_self();
  const SourceFiles files(*alone, {source.path, source.member, ""});
  DataOptions options;
  options.train = source;
  options.label_column = label_column;
  options.classes = kMostClasses;
  options.shape = format_of(files).sizes(files, label_column).shape;
  return options;
}

}  // namespace lockstep
