// What a source holds, without keeping its rows: for `inspect` and --dry-run. Plain
// values.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lockstep/comm/communicator.h"
#include "lockstep/data/options.h"
#include "lockstep/data/row_share.h"
#include "lockstep/data/training_data.h"

namespace lockstep {

// The most bytes of a source that each rank reads for a survey.
inline constexpr std::uint64_t kSurveyBytes = 256u << 20;

enum class RowCount { kExact, kEstimated };

struct PixelFacts {
  double least = 0;
  double most = 0;
  double mean = 0;
  double deviation = 0;
};

struct SourceSurvey {
  std::string name;                // path, or path:member
  std::string format;              // "CSV", "IDX", ...
  std::uint64_t bytes = 0;         // of the file or member, inflated
  std::uint64_t packed_bytes = 0;  // of the zip's member or the gzip file; 0 for a plain file
  std::int64_t rows = 0;
  RowCount row_count = RowCount::kExact;
  std::int64_t rows_read = 0;
  bool labelled = false;
  std::string found;     // what was found out about the source, for one line
  DataOptions options;   // those given, with what was found out
  bool is_whole = true;  // all rows were read
  // Of the rows read:
  std::vector<std::int64_t> class_counts;  // [classes] of training rows; zeros without labels
  std::int64_t validation_rows = 0;        // where the source itself says which these are
  std::int64_t test_rows = 0;              // likewise
  PixelType pixel_type = PixelType::kByte;
  PixelFacts pixels;
  std::vector<TrainingRow> first_rows;  // at most 8, on rank 0
  std::string layout_doubt;             // why the pixels may be laid out otherwise; mostly empty
};

// Collective: opens `source` as a training does and reads it, or of a source of more
// than `most_bytes` a rank as much, spread over the file; the rows of a CSV file are
// then estimated from the bytes of those read. Errors (2, agreed) as of load_rows().
SourceSurvey survey(Communicator& comm, const SourceOptions& source, const DataOptions& options,
                    Labels labels, std::uint64_t most_bytes = kSurveyBytes);

// The sizes of the splits that a deal of rows with these labels makes.
struct SplitSizes {
  std::int64_t training = 0;
  std::int64_t validation = 0;
};
SplitSizes split_sizes(std::span<const std::int64_t> class_counts,
                       const ValidationOptions& validation);

// Local: the data section that fits a source of unknown shape: its own sizes where it tells
// them, else images that are square, or square with three channels, else one row of pixels.
// Labels stand in `label_column`, if there is one. Error (2): no such file, no rows.
DataOptions guess_options(const SourceOptions& source, const std::string& label_column);

}  // namespace lockstep
