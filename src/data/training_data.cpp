#include "lockstep/data/training_data.h"

#include <algorithm>
#include <memory>
#include <numeric>

#include "data/augmentation.h"
#include "data/chunk_share.h"
#include "data/deal.h"
#include "data/permutation.h"
#include "data/pixel_layout.h"
#include "data/row_census.h"
#include "data/row_move.h"
#include "data/source_format.h"
#include "data/zeroed_pages.h"
#include "lockstep/core/error.h"
#include "lockstep/core/philox.h"
#include "lockstep/core/text.h"

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
  const std::vector<std::int64_t> before = exclusive_scan(comm, in_group);
  std::vector<std::vector<std::int64_t>> positions;  // of the rows read here, by group
  for (std::size_t group = 0; group < in_group.size(); ++group) {
    positions.push_back(deal.positions(group, {before[group], before[group] + in_group[group]}));
    in_group[group] = 0;
  }
  std::vector<std::int64_t> places(static_cast<std::size_t>(rows.count));
  std::int64_t validation_rows = 0;
  for (std::int64_t i = 0; i < rows.count; ++i) {
    const std::size_t group = deal.group_of(rows.label(i));
    std::int64_t& place = places[static_cast<std::size_t>(i)];
    place = positions[group][static_cast<std::size_t>(in_group[group]++)];
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
  std::shared_ptr<ZeroedPages> pixels;      // of these rows and perhaps of others
  std::vector<const std::uint8_t*> images;  // [slots], each [shape.pixels()]
  std::vector<std::int32_t> labels;         // [slots]
  std::vector<std::uint64_t> numbers;       // [slots]

  explicit LaneRows(std::size_t slots) : images(slots), labels(slots), numbers(slots) {}

  // Copies the row's pixels to this lane's; refers to them where it has none.
  void keep(std::size_t slot, const RowView& row) {
    images[slot] = row.pixels.data();
    if (pixels) {
      std::uint8_t* const copy = pixels->data() + slot * row.pixels.size();
      std::copy(row.pixels.begin(), row.pixels.end(), copy);
      images[slot] = copy;
    }
    labels[slot] = row.label;
    numbers[slot] = row.number;
  }
};

TrainingData::~TrainingData() = default;
TrainingData::TrainingData(TrainingData&& other) noexcept = default;

TrainingData::TrainingData(Communicator& comm, const DataOptions& options, int lanes,
                           std::uint64_t seed)
    : options_(options),
      lanes_(lanes),
      seed_(seed),
      owned_(share_of(lanes, comm.world_size(), comm.rank())) {
  FileRows rows = read_rows(comm, options.train, options, Labels::kRequired);
  std::vector<std::int64_t> class_counts = count_classes(rows, options.classes);
  comm.sum(class_counts);
  check_labels(options.train, options.label_column, class_counts);
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
      make_normalization(options.normalization, options.shape.channels, census.pixel_counts()),
      layout_doubt(comm, rows, options.shape)};

  // A single rank keeps the rows where they were parsed; others copy those of their
  // lanes, since most of what they have parsed belongs to other ranks.
  const bool alone = comm.world_size() == 1;
  const auto pixels = static_cast<std::size_t>(options.shape.pixels());
  for (std::int64_t lane = owned_.first; lane < owned_.last; ++lane) {
    const auto slots =
        static_cast<std::size_t>(places_below(deal.training_rows(), lanes, static_cast<int>(lane)));
    lane_rows_.emplace_back(slots);
    if (!alone) lane_rows_.back().pixels = std::make_shared<ZeroedPages>(slots * pixels);
  }
  validation_ = empty_share(comm, deal.validation_rows(), options.shape, Labels::kRequired);

  const std::vector<Destination> destinations =
      destinations_of(places, deal, lanes, comm.world_size());
  move_rows(comm, rows, destinations, [&](std::int64_t place, const RowView& row) {
    if (place >= deal.training_rows()) {
      keep_row(validation_, place - deal.training_rows() - validation_.first, row);
      return;
    }
    lane_rows_[static_cast<std::size_t>(place % lanes - owned_.first)].keep(
        static_cast<std::size_t>(place / lanes), row);
  });
  if (alone) {
    const auto parsed = std::make_shared<ZeroedPages>(std::move(rows.pixels));
    for (LaneRows& lane : lane_rows_) lane.pixels = parsed;
  }
}

std::int64_t TrainingData::steps_per_epoch(int global_batch) const {
  return (summary_.training_rows + global_batch - 1) / global_batch;
}

const TrainingData::LaneRows& TrainingData::rows_of(int lane) const {
  if (!owned_.contains(lane)) {
    fail_internal("rows of lane {}; expected one of [{}, {})", lane, owned_.first, owned_.last);
  }
  return lane_rows_[static_cast<std::size_t>(lane - owned_.first)];
}

Range TrainingData::lane_places(int lane, std::int64_t step, int global_batch) const {
  const auto limit = [&](std::int64_t at_step) {
    return places_below(std::min(at_step * global_batch, summary_.training_rows), lanes_, lane);
  };
  return {limit(step), limit(step + 1)};
}

std::int64_t TrainingData::lane_samples(int lane, std::int64_t step, int global_batch) const {
  return lane_places(lane, step, global_batch).size();
}

std::vector<DrawnSample> TrainingData::draw_samples(int lane, int epoch, std::int64_t step,
                                                    int global_batch) const {
  const LaneRows& rows = rows_of(lane);
  const Range places = lane_places(lane, step, global_batch);
  const Permutation order(rows.numbers.size(), philox_key(seed_, Purpose::kLaneOrder),
                          {static_cast<std::uint32_t>(lane), static_cast<std::uint32_t>(epoch), 0});
  std::vector<DrawnSample> samples(static_cast<std::size_t>(places.size()));
  auto place = static_cast<std::uint64_t>(places.first);
  for (DrawnSample& sample : samples) {
    const auto slot = order(place++);
    sample = {static_cast<std::int64_t>(slot), rows.numbers[slot], rows.labels[slot], {}};
    if (augments()) {
      sample.map = source_map(draw_transform(options_.augmentation, seed_, sample.row, epoch),
                              options_.shape);
    }
  }
  return samples;
}

void TrainingData::fill_batch(int lane, int epoch, std::int64_t step, int global_batch,
                              Batch& batch) const {
  const std::vector<DrawnSample> samples = draw_samples(lane, epoch, step, global_batch);
  const LaneRows& rows = rows_of(lane);
  const auto pixels = static_cast<std::size_t>(options_.shape.pixels());
  batch.size = static_cast<int>(samples.size());
  batch.images.resize(samples.size() * pixels);
  batch.labels.resize(samples.size());
  batch.rows.resize(samples.size());
  Augmenter augmenter(options_.shape);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::span<const std::uint8_t> image(
        rows.images[static_cast<std::size_t>(samples[i].slot)], pixels);
    const std::span formed = std::span(batch.images).subspan(i * pixels, pixels);
    batch.labels[i] = samples[i].label;
    batch.rows[i] = samples[i].row;
    if (augments()) {
      augmenter.apply(image, samples[i].map, formed);
      normalize(formed, options_.shape, summary_.normalization);
    } else {
      normalize(image, options_.shape, summary_.normalization, formed);
    }
  }
}

std::int64_t TrainingData::lane_size(int lane) const {
  return static_cast<std::int64_t>(rows_of(lane).numbers.size());
}

TrainingRow TrainingData::lane_row(int lane, std::int64_t slot) const {
  const LaneRows& rows = rows_of(lane);
  const auto at = static_cast<std::size_t>(slot);
  const std::uint8_t* image = rows.images.at(at);
  return {rows.numbers[at], rows.labels[at], {image, image + options_.shape.pixels()}};
}

std::vector<std::uint8_t> TrainingData::augmented(const TrainingRow& row, int epoch) const {
  if (!options_.augmentation.any()) return row.pixels;
  std::vector<float> image(row.pixels.size());
  Augmenter(options_.shape)
      .apply(row.pixels,
             source_map(draw_transform(options_.augmentation, seed_, row.number, epoch),
                        options_.shape),
             image);
  std::vector<std::uint8_t> pixels;
  for (const float value : image) pixels.push_back(static_cast<std::uint8_t>(value + 0.5F));
  return pixels;
}

}  // namespace lockstep
