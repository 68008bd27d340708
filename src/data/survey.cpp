#include "lockstep/data/survey.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "data/csv.h"
#include "data/csv_header.h"
#include "data/deal.h"
#include "data/idx.h"
#include "data/pixel_layout.h"
#include "data/source_text.h"
#include "data/zip_member.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

constexpr int kMostClasses = 65536;  // that an experiment may have
constexpr std::int64_t kFirstRows = 8;

// Each rank reads the first of its `parts_a_rank` parts of the file.
FileRows read_parts(Communicator& comm, const SourceText& images, const SourceText* label_text,
                    const DataOptions& options, Labels labels, int parts_a_rank) {
  FileRows rows;
  comm.begin_long_work("reading the data", kEachRank);
  agree(comm, [&] {
    const FilePart part{comm.rank() * parts_a_rank, comm.world_size() * parts_a_rank};
    rows = label_text != nullptr || is_idx(images.text())
               ? parse_idx(images, label_text, options, labels, part)
               : parse_csv(images, options, labels, part);
  });
  return rows;
}

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
  const SourceText images(comm, source.path, source.member);
  std::optional<SourceText> label_text;
  if (!source.labels.empty()) label_text.emplace(comm, source.labels, "");
  SourceSurvey survey;
  survey.name = images.name();
  survey.bytes = images.text().size();
  survey.class_counts.resize(static_cast<std::size_t>(options.classes));
  agree(comm, [&] {
    const std::uint64_t file = file_bytes(source.path);
    if (!source.member.empty()) {
      survey.packed_bytes = ZipMember(source.path, source.member).packed_bytes();
    } else if (file != survey.bytes) {
      survey.packed_bytes = file;
    }
  });
  const bool idx = label_text || is_idx(images.text());
  survey.format = idx ? "IDX" : "CSV";
  const auto world = static_cast<std::uint64_t>(comm.world_size());
  const auto parts_a_rank = static_cast<int>(survey.bytes / (most_bytes * world)) + 1;
  const FileRows rows =
      read_parts(comm, images, label_text ? &*label_text : nullptr, options, labels, parts_a_rank);
  survey.labelled = rows.labelled;
  count_rows(comm, rows, survey);
  survey.layout_doubt = layout_doubt(comm, rows, options.shape);
  survey.rows = idx ? read_idx_sizes(images).rows : survey.rows_read * parts_a_rank;
  if (!idx && parts_a_rank > 1) survey.row_count = RowCount::kEstimated;
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
  const SourceText text(*alone, source.path, source.member);
  DataOptions options;
  options.train = source;
  options.label_column = label_column;
  options.classes = kMostClasses;
  if (is_idx(text.text())) {
    options.shape = read_idx_sizes(text).shape;
    return options;
  }
  const int pixels = csv_pixel_columns(text.text(), text.name(), label_column);
  const auto side_of = [](int area) { return static_cast<int>(std::lround(std::sqrt(area))); };
  const int grey = side_of(pixels);
  const int colour = side_of(pixels / 3);
  if (grey * grey == pixels) {
    options.shape = {grey, grey, 1};
  } else if (3 * colour * colour == pixels) {
    options.shape = {colour, colour, 3};
  } else {
    options.shape = {1, pixels, 1};
  }
  return options;
}

}  // namespace lockstep
