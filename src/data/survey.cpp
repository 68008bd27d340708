#include "lockstep/data/survey.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "data/deal.h"
#include "data/pixel_layout.h"
#include "data/source.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

constexpr std::int64_t kFirstRows = 8;

// Sums of what a rank has read.
struct PixelSums {
  double least = std::numeric_limits<double>::infinity();
  double most = -std::numeric_limits<double>::infinity();
  double count = 0;
  double sum = 0;
  double squares = 0;

  template <class Value>
  void add(std::span<const Value> values) {
    for (const Value each : values) {
      const auto value = static_cast<double>(each);
      least = std::min(least, value);
      most = std::max(most, value);
      sum += value;
      squares += value * value;
    }
    count += static_cast<double>(values.size());
  }
};

PixelFacts facts_of(Communicator& comm, const FileRows& rows) {
  PixelSums own;
  for (std::int64_t i = 0; i < rows.count; ++i) {
    const PixelView row = rows.row(i);
    if (row.type == PixelType::kByte) {
      own.add(row.bytes());
    } else {
      own.add(row.floats());
    }
  }
  PixelSums all;
  for (const PixelSums& each : gather_values(comm, own)) {
    all.least = std::min(all.least, each.least);
    all.most = std::max(all.most, each.most);
    all.count += each.count;
    all.sum += each.sum;
    all.squares += each.squares;
  }
  if (all.count == 0) return {};
  const double mean = all.sum / all.count;
  return {all.least, all.most, mean,
          std::sqrt(std::max(all.squares / all.count - mean * mean, 0.0))};
}

// Counts what this rank has read, then sums over the ranks.
void count_rows(Communicator& comm, const FileRows& rows, SourceSurvey& survey) {
  survey.class_counts.resize(static_cast<std::size_t>(survey.options.classes));
  std::array<std::int64_t, 3> uses{};
  for (std::int64_t i = 0; i < rows.count; ++i) {
    ++uses[static_cast<std::size_t>(rows.use(i))];
    if (rows.labelled && rows.use(i) == RowUse::kTraining) {
      ++survey.class_counts[static_cast<std::size_t>(rows.label(i))];
    }
  }
  comm.sum(uses);
  survey.validation_rows = uses[static_cast<std::size_t>(RowUse::kValidation)];
  survey.test_rows = uses[static_cast<std::size_t>(RowUse::kTest)];
  survey.pixel_type = rows.type;
  survey.pixels = facts_of(comm, rows);
  survey.rows_read = rows.count;
  comm.sum(survey.class_counts);
  comm.sum(std::span(&survey.rows_read, 1));
}

}  // namespace

SourceSurvey survey(Communicator& comm, const SourceOptions& source, const DataOptions& options,
                    Labels labels, std::uint64_t most_bytes) {
  const auto opened = open_source(comm, source);
  SourceSurvey survey;
  survey.name = opened->name();
  survey.format = opened->format();
  survey.bytes = opened->bytes();
  survey.packed_bytes = opened->packed_bytes();
  // Each rank reads the first of its parts of the source.
  const auto world = static_cast<std::uint64_t>(comm.world_size());
  const auto parts_a_rank = static_cast<int>(survey.bytes / most_bytes / world) + 1;
  survey.is_whole = parts_a_rank == 1;
  ReadRows read = read_part(comm, *opened, options, labels, Classes::kFound,
                            {comm.rank() * parts_a_rank, comm.world_size() * parts_a_rank});
  const FileRows& rows = read.rows;
  survey.options = std::move(read.options);
  survey.found = std::move(read.found);
  survey.labelled = rows.labelled;
  count_rows(comm, rows, survey);
  survey.layout_doubt = layout_doubt(comm, rows, survey.options);
  survey.rows = read.told_rows.value_or(survey.rows_read * parts_a_rank);
  if (!read.told_rows && parts_a_rank > 1) survey.row_count = RowCount::kEstimated;
  for (std::int64_t i = 0; comm.rank() == 0 && i < std::min(rows.count, kFirstRows); ++i) {
    survey.first_rows.push_back({static_cast<std::uint64_t>(i), rows.label(i),
                                 levels_of(rows.row(i), survey.options.range)});
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
  const auto opened = open_source(*alone, source);
  DataOptions options;
  options.train = source;
  options.label_column = label_column;
  options.classes = 0;  // to be counted
  options.shape = opened->shape(options);
  return options;
}

}  // namespace lockstep
