#include "lockstep/data/training_data.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>

#include "data/augmentation.h"
#include "data/chunk_share.h"
#include "data/deal.h"
#include "data/mapped_rows.h"
#include "data/permutation.h"
#include "data/pixel_layout.h"
#include "data/residence.h"
#include "data/row_census.h"
#include "data/row_move.h"
#include "data/row_places.h"
#include "data/source.h"
#include "data/steps_ahead.h"
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

struct TrainingData::LaneRows {
  std::shared_ptr<ZeroedPages> pixels;   // of these rows and perhaps of others
  std::vector<const std::byte*> images;  // [slots], each [shape.pixels()] of type_; or empty
  std::vector<std::int32_t> labels;      // [slots]
  std::vector<std::uint64_t> numbers;    // [slots]

  LaneRows(std::size_t slots, std::size_t held_images)
      : images(held_images), labels(slots), numbers(slots) {}

  // Copies the row's pixels to this lane's; refers to them where it has none.
  void keep(std::size_t slot, const RowView& row) {
    if (!images.empty()) images[slot] = row.pixels.data;
    if (!images.empty() && pixels) {
      const auto values = row.pixels.raw();
      auto* const copy = reinterpret_cast<std::byte*>(pixels->data()) + slot * values.size();
      std::copy(values.begin(), values.end(), copy);
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

std::vector<std::uint64_t> TrainingData::slots_of_step(int lane, int epoch, std::int64_t step,
                                                       int global_batch) const {
  const Range places = lane_places(lane, step, global_batch);
  const Permutation order(static_cast<std::uint64_t>(lane_size(lane)),
                          philox_key(seed_, Purpose::kLaneOrder),
                          {static_cast<std::uint32_t>(lane), static_cast<std::uint32_t>(epoch), 0});
  std::vector<std::uint64_t> slots;
  for (std::int64_t place = places.first; place < places.last; ++place) {
    slots.push_back(order(static_cast<std::uint64_t>(place)));
  }
  return slots;
}

std::vector<DrawnSample> TrainingData::draw_samples(int lane, int epoch, std::int64_t step,
                                                    int global_batch) const {
  const LaneRows& rows = rows_of(lane);
  std::vector<DrawnSample> samples;
  for (const std::uint64_t slot : slots_of_step(lane, epoch, step, global_batch)) {
    samples.push_back({static_cast<std::int64_t>(slot), rows.numbers[slot], rows.labels[slot], {}});
    DrawnSample& sample = samples.back();
    if (augments()) {
      sample.map = source_map(draw_transform(options_.augmentation, seed_, sample.row, epoch),
                              options_.shape);
    }
  }
  return samples;
}

// The order of the rows is known, so the disk can be ahead of the steps.
void TrainingData::expect_rows(int lane, int epoch, std::int64_t step, int global_batch) const {
  const std::int64_t steps = steps_per_epoch(global_batch);
  const std::int64_t rows_a_step = global_batch * owned_.size() / lanes_;
  const Range next = ahead_->next(static_cast<std::size_t>(lane - owned_.first),
                                  epoch * steps + step, mapped_->steps_ahead(rows_a_step));
  for (std::int64_t each = next.first; each < next.last; ++each) {
    std::vector<std::uint64_t> numbers =
        slots_of_step(lane, static_cast<int>(each / steps), each % steps, global_batch);
    for (std::uint64_t& number : numbers) number = rows_of(lane).numbers[number];
    mapped_->expect(std::move(numbers));
  }
}

void TrainingData::fill_batch(int lane, int epoch, std::int64_t step, int global_batch,
                              Batch& batch) const {
  const std::vector<DrawnSample> samples = draw_samples(lane, epoch, step, global_batch);
  if (mapped_) expect_rows(lane, epoch, step, global_batch);
  const auto pixels = static_cast<std::size_t>(options_.shape.pixels());
  batch.size = static_cast<int>(samples.size());
  batch.images.resize(samples.size() * pixels);
  batch.labels.resize(samples.size());
  batch.rows.resize(samples.size());
  Augmenter augmenter(options_.shape, options_.range.lowest);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const PixelView image = lane_pixels(lane, samples[i].slot);
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
  if (mapped_) mapped_->give_back(batch.rows);
}

void TrainingData::copy_pixels(int lane, int epoch, std::int64_t step, int global_batch,
                               std::span<std::byte> to) const {
  if (mapped_) expect_rows(lane, epoch, step, global_batch);
  std::vector<std::uint64_t> numbers;
  for (const std::uint64_t slot : slots_of_step(lane, epoch, step, global_batch)) {
    const auto row = lane_pixels(lane, static_cast<std::int64_t>(slot)).raw();
    std::copy(row.begin(), row.end(), to.begin());
    to = to.subspan(row.size());
    if (mapped_) numbers.push_back(rows_of(lane).numbers[slot]);
  }
  if (mapped_) mapped_->give_back(std::move(numbers));
}

std::int64_t TrainingData::lane_size(int lane) const {
  return static_cast<std::int64_t>(rows_of(lane).numbers.size());
}

PixelView TrainingData::lane_pixels(int lane, std::int64_t slot) const {
  const LaneRows& rows = rows_of(lane);
  if (mapped_) return mapped_->row(rows.numbers.at(static_cast<std::size_t>(slot)));
  return {type_, rows.images.at(static_cast<std::size_t>(slot)),
          static_cast<std::size_t>(options_.shape.pixels())};
}

TrainingRow TrainingData::lane_row(int lane, std::int64_t slot) const {
  const LaneRows& rows = rows_of(lane);
  const auto at = static_cast<std::size_t>(slot);
  return {rows.numbers.at(at), rows.labels[at], levels_of(lane_pixels(lane, slot), options_.range)};
}

std::vector<std::uint8_t> TrainingData::augmented(int lane, std::int64_t slot, int epoch) const {
  const PixelView pixels = lane_pixels(lane, slot);
  if (!augments()) return levels_of(pixels, options_.range);
  const std::uint64_t number = rows_of(lane).numbers[static_cast<std::size_t>(slot)];
  std::vector<float> image(pixels.count);
  Augmenter(options_.shape, options_.range.lowest)
      .apply(
          pixels,
          source_map(draw_transform(options_.augmentation, seed_, number, epoch), options_.shape),
          image);
  return levels_of({PixelType::kFloat, image.data(), image.size()}, options_.range);
}

}  // namespace lockstep
