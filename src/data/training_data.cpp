#include "lockstep/data/training_data.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>

#include "data/chunk_share.h"
#include "data/deal.h"
#include "data/lane_rows.h"
#include "data/mapped_rows.h"
#include "data/pixel_layout.h"
#include "data/residence.h"
#include "data/row_census.h"
#include "data/row_move.h"
#include "data/row_places.h"
#include "data/source.h"
#include "data/steps_ahead.h"
#include "data/zeroed_pages.h"
#include "lockstep/core/error.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

// Of the rows to be dealt; all ranks'.
std::vector<std::int64_t> count_classes(Communicator& comm, const FileRows& rows, int classes) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(classes), 0);
  for (std::int64_t i = 0; i < rows.count; ++i) {
    if (rows.use(i) == RowUse::kTraining) ++counts[static_cast<std::size_t>(rows.label(i))];
  }
  comm.sum(counts);
  return counts;
}

// Nothing where the sources say which rows are for validation.
ValidationOptions validation_to_deal(Communicator& comm, const FileRows& rows,
                                     const ValidationOptions& options) {
  ValidationOptions dealt = options;
  std::int64_t given = std::count(rows.uses.begin(), rows.uses.end(), RowUse::kValidation);
  comm.sum(std::span(&given, 1));
  if (given > 0 || !options.source.path.empty()) dealt.fraction = 0;
  return dealt;
}

// Counts rows that have their places.
void count_rows(const FileRows& rows, std::span<const std::int64_t> places,
                std::int64_t training_rows, RowCensus& census) {
  for (std::int64_t i = 0; i < rows.count; ++i) {
    const std::int64_t place = places[static_cast<std::size_t>(i)];
    const RowUse use = place == kNowhere       ? RowUse::kTest
                       : place < training_rows ? RowUse::kTraining
                                               : RowUse::kValidation;
    census.add(rows, i, use);
  }
}

// Collective: the validation rows of a source of their own; their numbers go on behind the
// training source's. Error (2, agreed): that one names validation rows too.
std::optional<ReadRows> read_validation(Communicator& comm, const DataOptions& options,
                                        const FileRows& rows) {
  const SourceOptions& source = options.validation.source;
  if (source.path.empty()) return std::nullopt;
  std::int64_t named = std::count(rows.uses.begin(), rows.uses.end(), RowUse::kValidation);
  comm.sum(std::span(&named, 1));
  if (named > 0) {
    throw Error(ExitCode::kUsage,
                fmt::format("data.validation.source is {}, but {} says itself that {} for "
                            "validation; expected one of the two",
                            source.path, options.train.path, count_of(named, "row is", "rows are")),
                Reach::kAgreed);
  }
  ReadRows read = read_rows(comm, source, options, Labels::kRequired, Classes::kKnown);
  read.rows.first += rows.total;
  return read;
}

void check_lanes(const SourceOptions& source, const Deal& deal, int lanes) {
  if (deal.training_rows() >= lanes) return;
  throw Error(ExitCode::kUsage,
              fmt::format("{}: {} beside {} of validation; expected at least one for each of {}",
                          source.path, count_of(deal.training_rows(), "training row"),
                          deal.validation_rows(), count_of(lanes, "lane")),
              Reach::kAgreed);
}

// A column that only counts rows, or names them, teaches nothing.
void check_labels(const SourceOptions& source, const std::string& column,
                  std::span<const std::int64_t> class_counts) {
  constexpr std::int64_t kFewRows = 10;
  const std::int64_t rows = std::reduce(class_counts.begin(), class_counts.end());
  const bool distinct = std::all_of(class_counts.begin(), class_counts.end(),
                                    [](std::int64_t count) { return count <= 1; });
  if (rows < kFewRows || !distinct) return;
  throw Error(
      ExitCode::kUsage,
      fmt::format("{}: each of its {} rows has a label of its own: is \"{}\" a column of ids? "
                  "data.label_column names that of the labels",
                  source.path, rows, column),
      Reach::kAgreed);
}

}  // namespace

TrainingData::~TrainingData() = default;
TrainingData::TrainingData(TrainingData&& other) noexcept = default;

TrainingData::TrainingData(Communicator& comm, const DataOptions& options, int lanes,
                           std::uint64_t seed)
    : lanes_(lanes), seed_(seed), owned_(share_of(lanes, comm.world_size(), comm.rank())) {
  ReadRows read = read_rows(comm, options.train, options, Labels::kRequired, Classes::kFound);
  options_ = std::move(read.options);
  type_ = read.rows.type;
  const std::vector<std::int64_t> class_counts = count_classes(comm, read.rows, options_.classes);
  check_labels(options.train, options.label_column, class_counts);
  const Deal deal(class_counts, validation_to_deal(comm, read.rows, options_.validation), seed);
  check_lanes(options.train, deal, lanes);
  const std::vector<std::int64_t> places = deal_rows(comm, read.rows, deal);
  RowCensus census(options_, type_);
  count_rows(read.rows, places, deal.training_rows(), census);
  std::optional<ReadRows> given = read_validation(comm, options_, read.rows);
  std::vector<std::int64_t> given_places;
  if (given) {
    given_places.resize(static_cast<std::size_t>(given->rows.count));
    std::iota(given_places.begin(), given_places.end(),
              deal.training_rows() + given->rows.first - read.rows.total);
    count_rows(given->rows, given_places, deal.training_rows(), census);
  }
  census.finish(comm);
  const auto training = census.class_counts(RowUse::kTraining);
  const auto validation = census.class_counts(RowUse::kValidation);
  summary_ = {deal.training_rows(),
              std::reduce(validation.begin(), validation.end()),
              training,
              validation,
              census.digest(),
              make_normalization(options_.normalization, options_.shape.channels, options_.range,
                                 census.value_counts()),
              layout_doubt(comm, read.rows, options_),
              read.found};
  if (options_.augmentation.needs_mean()) mean_ = mean_values(census.value_counts());
  agree(comm, [&] { make_room(comm, read.rows, given ? given->rows : read.rows); });
  keep_rows(comm, std::move(read.rows), places, mapped_.get());
  if (given) keep_rows(comm, std::move(given->rows), given_places, validation_.mapped.get());
}

void TrainingData::make_room(const Communicator& comm, const FileRows& rows,
                             const FileRows& validation) {
  std::uint64_t bytes = 0;
  std::vector<std::size_t> slots;
  for (std::int64_t lane = owned_.first; lane < owned_.last; ++lane) {
    slots.push_back(static_cast<std::size_t>(
        places_below(summary_.training_rows, lanes_, static_cast<int>(lane))));
    bytes += slots.back() * rows.row_bytes();
  }
  const Range held = held_rows(summary_.validation_rows, comm.world_size(), comm.rank());
  bytes += static_cast<std::uint64_t>(held.size()) * validation.row_bytes();
  mapped_ = stay_in_file(comm, rows, bytes);
  ahead_ = std::make_unique<StepsAhead>(slots.size());
  for (const std::size_t each : slots) lane_rows_.emplace_back(each, mapped_ ? 0 : each);
  validation_ = empty_share(comm, summary_.validation_rows, options_.shape, validation,
                            &rows == &validation ? mapped_ : stay_in_file(comm, validation, bytes));
}

void TrainingData::keep_rows(Communicator& comm, FileRows rows,
                             std::span<const std::int64_t> places, const MappedRows* mapped) {
  // A single rank keeps the rows where they were parsed; others copy those of their
  // lanes, since most of what they have parsed belongs to other ranks.
  const bool alone = comm.world_size() == 1 && rows.file == nullptr;
  for (LaneRows& lane : lane_rows_) {
    if (!alone && !lane.pixels) {
      lane.pixels = std::make_shared<ZeroedPages>(lane.images.size() * rows.row_bytes());
    }
  }
  const std::vector<Destination> destinations =
      destinations_of(places, summary_, lanes_, comm.world_size());
  const auto keep = [&](std::int64_t place, const RowView& row) {
    if (place >= summary_.training_rows) {
      keep_row(validation_, place - summary_.training_rows - validation_.first, row);
      return;
    }
    lane_rows_[static_cast<std::size_t>(place % lanes_ - owned_.first)].keep(
        static_cast<std::size_t>(place / lanes_), row);
  };
  move_rows(comm, rows, destinations,
            mapped != nullptr ? MovedPixels::kNotAsked : MovedPixels::kFound, keep);
  if (!alone) return;
  const auto parsed = std::make_shared<ZeroedPages>(std::move(rows.pixels));
  for (LaneRows& lane : lane_rows_) {
    if (!lane.pixels) lane.pixels = parsed;
  }
}

}  // namespace lockstep
