#include "lockstep/data/training_data.h"

#include <algorithm>

#include "data/augmentation.h"
#include "data/chunk_share.h"
#include "data/deal.h"
#include "data/file_rows.h"
#include "data/permutation.h"
#include "data/row_census.h"
#include "data/row_move.h"
#include "data/zeroed_pages.h"
#include "lockstep/core/error.h"
#include "lockstep/core/philox.h"

namespace lockstep {

namespace {

// Places of lane `lane`, of `lanes`, that are below position `limit` of an epoch;
// with limit = the training rows, the lane's slots.
std::int64_t places_below(std::int64_t limit, int lanes, int lane) {
  return limit <= lane ? 0 : (limit - lane + lanes - 1) / lanes;
}

std::vector<std::int64_t> count_classes(const FileRows& rows, int classes) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(classes), 0);
  for (const std::int32_t label : rows.labels) ++counts[static_cast<std::size_t>(label)];
  return counts;
}

// Where the rows read here go: below deal.training_rows() a training position,
// from there on a place of the validation split.
std::vector<std::int64_t> deal_rows(Communicator& comm, const FileRows& rows, const Deal& deal,
                                    RowCensus& census) {
  std::vector<std::int64_t> in_group(deal.groups(), 0);
  for (const std::int32_t label : rows.labels) ++in_group[deal.group_of(label)];
  in_group = exclusive_scan(comm, in_group);
  std::vector<std::int64_t> places(static_cast<std::size_t>(rows.count));
  std::int64_t validation_rows = 0;
  for (std::int64_t i = 0; i < rows.count; ++i) {
    const std::size_t group = deal.group_of(rows.label(i));
    std::int64_t& place = places[static_cast<std::size_t>(i)];
    place = deal.position(group, in_group[group]++);
    census.add(rows, i, place < 0 ? Split::kValidation : Split::kTraining);
    if (place < 0) ++validation_rows;
  }
  std::int64_t next = deal.training_rows() + exclusive_scan(comm, validation_rows);
  for (std::int64_t& place : places) {
    if (place < 0) place = next++;
  }
  return places;
}

void check_lanes(const SourceOptions& source, const Deal& deal, int lanes) {
  if (deal.training_rows() >= lanes) return;
  throw Error(ExitCode::kUsage,
              fmt::format("{}: {} training rows beside {} of validation; expected at least one for "
                          "each of {} lanes",
                          source.path, deal.training_rows(), deal.validation_rows(), lanes),
              Reach::kAgreed);
}

// The rank that owns each place: that of its lane, or of its validation chunk.
std::vector<Destination> destinations_of(std::span<const std::int64_t> places, const Deal& deal,
                                         int lanes, int world_size) {
  std::vector<Destination> destinations;
  destinations.reserve(places.size());
  for (const std::int64_t place : places) {
    const std::int64_t validation_place = place - deal.training_rows();
    const int rank = validation_place < 0
                         ? static_cast<int>(part_of(lanes, world_size, place % lanes))
                         : holder_of(deal.validation_rows(), world_size, validation_place);
    destinations.push_back({rank, place});
  }
  return destinations;
}

}  // namespace

struct TrainingData::LaneRows {
  ZeroedPages pixels;                  // [slots, shape.pixels()]
  std::vector<std::int32_t> labels;    // [slots]
  std::vector<std::uint64_t> numbers;  // [slots]

  LaneRows(std::size_t slots, std::size_t row_bytes)
      : pixels(slots * row_bytes), labels(slots), numbers(slots) {}
};

TrainingData::~TrainingData() = default;
TrainingData::TrainingData(TrainingData&& other) noexcept = default;

TrainingData::TrainingData(Communicator& comm, const DataOptions& options, int lanes,
                           std::uint64_t seed)
    : options_(options),
      lanes_(lanes),
      seed_(seed),
      owned_(share_of(lanes, comm.world_size(), comm.rank())) {
  const FileRows rows = read_rows(comm, options.train, options, Labels::kRequired);
  std::vector<std::int64_t> class_counts = count_classes(rows, options.classes);
  comm.sum(class_counts);
  const Deal deal(class_counts, options.validation, seed);
  check_lanes(options.train, deal, lanes);
  RowCensus census(options);
  const std::vector<std::int64_t> places = deal_rows(comm, rows, deal, census);
  census.finish(comm);
  summary_ = {
      deal.training_rows(),
      deal.validation_rows(),
      census.class_counts(Split::kTraining),
      census.class_counts(Split::kValidation),
      census.digest(),
      make_normalization(options.normalization, options.shape.channels, census.pixel_counts())};

  const auto pixels = static_cast<std::size_t>(options.shape.pixels());
  for (std::int64_t lane = owned_.first; lane < owned_.last; ++lane) {
    const auto slots =
        static_cast<std::size_t>(places_below(deal.training_rows(), lanes, static_cast<int>(lane)));
    lane_rows_.emplace_back(slots, pixels);
  }
  validation_ = empty_share(comm, deal.validation_rows(), options.shape, Labels::kRequired);

  const std::vector<Destination> destinations =
      destinations_of(places, deal, lanes, comm.world_size());
  move_rows(comm, rows, destinations, [&](std::int64_t place, const RowView& row) {
    if (place >= deal.training_rows()) {
      keep_row(validation_, place - deal.training_rows() - validation_.first, row);
      return;
    }
    LaneRows& lane = lane_rows_[static_cast<std::size_t>(place % lanes - owned_.first)];
    const auto slot = static_cast<std::size_t>(place / lanes);
    std::copy(row.pixels.begin(), row.pixels.end(), lane.pixels.data() + slot * pixels);
    lane.labels[slot] = row.label;
    lane.numbers[slot] = row.number;
  });
}

std::int64_t TrainingData::steps_per_epoch(int global_batch) const {
  return (summary_.training_rows + global_batch - 1) / global_batch;
}

void TrainingData::fill_batch(int lane, int epoch, std::int64_t step, int global_batch,
                              Batch& batch) const {
  if (!owned_.contains(lane)) {
    fail_internal("batch of lane {}; expected one of [{}, {})", lane, owned_.first, owned_.last);
  }
  const LaneRows& rows = lane_rows_[static_cast<std::size_t>(lane - owned_.first)];
  const auto limit = [&](std::int64_t at_step) {
    return places_below(std::min(at_step * global_batch, summary_.training_rows), lanes_, lane);
  };
  const Range places{limit(step), limit(step + 1)};
  const auto pixels = static_cast<std::size_t>(options_.shape.pixels());
  const auto size = static_cast<std::size_t>(places.size());
  batch.size = static_cast<int>(size);
  batch.images.resize(size * pixels);
  batch.labels.resize(size);
  batch.rows.resize(size);
  const Permutation order(rows.numbers.size(), philox_key(seed_, Purpose::kLaneOrder),
                          {static_cast<std::uint32_t>(lane), static_cast<std::uint32_t>(epoch), 0});
  Augmenter augmenter(options_.shape);
  for (std::size_t i = 0; i < size; ++i) {
    const auto slot = order(static_cast<std::uint64_t>(places.first) + i);
    const std::span<const std::uint8_t> image(rows.pixels.data() + slot * pixels, pixels);
    const std::span sample = std::span(batch.images).subspan(i * pixels, pixels);
    batch.labels[i] = rows.labels[slot];
    batch.rows[i] = rows.numbers[slot];
    if (options_.augmentation.any()) {
      augmenter.apply(image, draw_transform(options_.augmentation, seed_, batch.rows[i], epoch),
                      sample);
      normalize(sample, options_.shape, summary_.normalization);
    } else {
      normalize(image, options_.shape, summary_.normalization, sample);
    }
  }
}

}  // namespace lockstep
