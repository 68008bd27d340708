// The samples of one lane in one step, as the data room makes them and the model
// room takes them. Owned by a worker, reused from step to step.
#pragma once

#include <cstdint>
#include <vector>

namespace lockstep {

struct ImageShape {
  int height = 28;
  int width = 28;
  int channels = 1;

  int pixels() const { return height * width * channels; }
  bool operator==(const ImageShape&) const = default;
};

struct Batch {
  int size = 0;                      // samples; 0 for a lane with none in this step
  std::vector<float> images;         // [size, height, width, channels], normalized
  std::vector<std::int32_t> labels;  // [size], in [0, classes)
  std::vector<std::uint64_t> rows;   // [size], row numbers in the source, from 0

  // Of mixed samples, else empty: the label of what is mixed in, and the part of the first one.
  std::vector<std::int32_t> other_labels = {};  // [size], in [0, classes)
  std::vector<float> label_parts = {};          // [size], in [0, 1]
};

}  // namespace lockstep
