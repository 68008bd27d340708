// The part of TrainingData that makes batches of the rows of its lanes.

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <optional>

#include "data/image_draws.h"
#include "data/image_former.h"
#include "data/lane_rows.h"
#include "data/mapped_rows.h"
#include "data/permutation.h"
#include "data/steps_ahead.h"
#include "lockstep/core/error.h"
#include "lockstep/core/philox.h"

namespace lockstep {

namespace {

float mean_of_all(const std::vector<float>& by_channel) {
  if (by_channel.empty()) return 0;
  return std::accumulate(by_channel.begin(), by_channel.end(), 0.0F) /
         static_cast<float>(by_channel.size());
}

}  // namespace

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

Permutation TrainingData::order_of(int lane, int epoch) const {
  return {static_cast<std::uint64_t>(lane_size(lane)),
          philox_key(seed_, Purpose::kLaneOrder),
          {static_cast<std::uint32_t>(lane), static_cast<std::uint32_t>(epoch), 0}};
}

std::vector<std::uint64_t> TrainingData::slots_of_step(int lane, int epoch, std::int64_t step,
                                                       int global_batch) const {
  const Range places = lane_places(lane, step, global_batch);
  const Permutation order = order_of(lane, epoch);
  std::vector<std::uint64_t> slots;
  for (std::int64_t place = places.first; place < places.last; ++place) {
    slots.push_back(order(static_cast<std::uint64_t>(place)));
  }
  return slots;
}

DrawnSample TrainingData::draw_sample(int lane, std::uint64_t slot, int epoch) const {
  const LaneRows& rows = rows_of(lane);
  DrawnSample sample{static_cast<std::int64_t>(slot), rows.numbers[slot], rows.labels[slot]};
  if (!augments()) return sample;
  const RowInEpoch key{seed_, sample.row, epoch};
  const AugmentationOptions& options = options_.augmentation;
  if (options.moves()) sample.map = source_map(draw_transform(options, key), options_.shape);
  sample.change = draw_change(options, options_.shape, options_.range, mean_of_all(mean_), key);
  return sample;
}

// A lane's order is a permutation that every epoch has anew, so the next of its samples is one
// chosen at random.
std::vector<DrawnSample> TrainingData::draw_samples(int lane, int epoch, std::int64_t step,
                                                    int global_batch) const {
  std::vector<DrawnSample> samples;
  const std::vector<std::uint64_t> slots = slots_of_step(lane, epoch, step, global_batch);
  samples.reserve(slots.size());
  for (const std::uint64_t slot : slots) {
    samples.push_back(draw_sample(lane, slot, epoch));
  }
  if (!options_.augmentation.mixes() || samples.size() < 2) return samples;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::size_t partner = (i + 1) % samples.size();
    samples[i].mix =
        draw_mix(options_.augmentation, options_.shape, {seed_, samples[i].row, epoch});
    samples[i].mix.partner = static_cast<int>(partner);
    samples[i].other_label = samples[partner].label;
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

FormRule TrainingData::form_rule() const {
  return {options_.shape, options_.augmentation, options_.range, mean_, summary_.normalization};
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
  std::optional<ImageFormer> former;
  if (augments()) former.emplace(form_rule());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    batch.labels[i] = samples[i].label;
    batch.rows[i] = samples[i].row;
    const PixelView row = lane_pixels(lane, samples[i].slot);
    const std::span image = std::span(batch.images).subspan(i * pixels, pixels);
    if (former) {
      former->form(row, samples[i], image);
    } else {
      normalize(row, options_.shape, summary_.normalization, image);
    }
  }
  if (options_.augmentation.mixes()) mix_batch(samples, batch);
  if (mapped_) mapped_->give_back(batch.rows);
}

// In place, since the partner is always the next one.
void TrainingData::mix_batch(std::span<const DrawnSample> samples, Batch& batch) const {
  const auto pixels = static_cast<std::ptrdiff_t>(options_.shape.pixels());
  std::vector<float> first(batch.images.begin(),
                           batch.images.begin() + (samples.empty() ? 0 : pixels));
  batch.other_labels.resize(samples.size());
  batch.label_parts.resize(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    float* const image = batch.images.data() + static_cast<std::ptrdiff_t>(i) * pixels;
    const float* const other = i + 1 < samples.size() ? image + pixels : first.data();
    const auto size = static_cast<std::size_t>(pixels);
    mix_images(samples[i].mix, options_.shape, {other, size}, {image, size});
    batch.other_labels[i] = samples[i].other_label;
    batch.label_parts[i] = samples[i].mix.label_part;
  }
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

// The step of an epoch in which a lane uses the row of `slot`.
std::int64_t TrainingData::step_of(int lane, std::int64_t slot, int epoch, int global_batch) const {
  const auto size = static_cast<std::uint64_t>(lane_size(lane));
  std::vector<std::uint64_t> slots(size);
  order_of(lane, epoch).images(0, slots);
  const auto place = std::find(slots.begin(), slots.end(), static_cast<std::uint64_t>(slot));
  return ((place - slots.begin()) * lanes_ + lane) / global_batch;
}

std::vector<std::uint8_t> TrainingData::augmented(int lane, std::int64_t slot, int epoch,
                                                  int global_batch) const {
  if (!augments()) return levels_of(lane_pixels(lane, slot), options_.range);
  FormRule rule = form_rule();
  rule.normalization =
      make_normalization(NormalizationKind::kNone, options_.shape.channels, {}, {});
  ImageFormer former(rule);
  const auto formed = [&](const DrawnSample& sample) {
    std::vector<float> image(static_cast<std::size_t>(options_.shape.pixels()));
    former.form(lane_pixels(lane, sample.slot), sample, image);
    return image;
  };
  std::vector<float> image;
  if (options_.augmentation.mixes()) {
    const std::vector<DrawnSample> samples =
        draw_samples(lane, epoch, step_of(lane, slot, epoch, global_batch), global_batch);
    const auto own = std::find_if(samples.begin(), samples.end(),
                                  [&](const DrawnSample& each) { return each.slot == slot; });
    image = formed(*own);
    mix_images(own->mix, options_.shape,
               formed(samples[static_cast<std::size_t>(own->mix.partner)]), image);
  } else {
    image = formed(draw_sample(lane, static_cast<std::uint64_t>(slot), epoch));
  }
  return levels_of({PixelType::kFloat, image.data(), image.size()}, options_.range);
}

}  // namespace lockstep
