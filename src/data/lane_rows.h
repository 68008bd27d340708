// The rows of a lane, as a TrainingData keeps them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "data/row_move.h"
#include "data/zeroed_pages.h"
#include "lockstep/data/training_data.h"

namespace lockstep {

// Places of lane `lane`, of `lanes`, that are below position `limit` of an epoch;
// with limit = the training rows, the lane's slots.
inline std::int64_t places_below(std::int64_t limit, int lanes, int lane) {
  return limit <= lane ? 0 : (limit - lane + lanes - 1) / lanes;
}

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

}  // namespace lockstep
