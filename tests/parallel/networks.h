// A small network and batches by formula, for the tests of the parallel room.
#pragma once

#include <cmath>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/model/network.h"

namespace lockstep::samples {

inline constexpr ImageShape kShape{9, 7, 1};
inline constexpr int kClasses = 5;

// Without layers whose result depends on how a batch is dealt to lanes.
inline Network plain_network() {
  return Network({{ConvOptions{.filters = 6, .activation = ActivationKind::kTanh}, MaxPoolOptions{},
                   FlattenOptions{}, DenseOptions{.units = 19, .activation = ActivationKind::kSilu},
                   DenseOptions{.units = kClasses}}},
                 kShape, kClasses);
}

inline Network full_network() {
  return Network({{ConvOptions{.filters = 6, .activation = ActivationKind::kRelu},
                   BatchNormOptions{}, MaxPoolOptions{}, DropoutOptions{.rate = 0.25F},
                   FlattenOptions{}, DenseOptions{.units = 19, .activation = ActivationKind::kRelu},
                   BatchNormOptions{}, DropoutOptions{}, DenseOptions{.units = kClasses}}},
                 kShape, kClasses);
}

// Rows first, first + stride, ... below last.
inline Batch batch_of(int first, int last, int stride) {
  Batch batch;
  for (int row = first; row < last; row += stride, ++batch.size) {
    batch.rows.push_back(static_cast<std::uint64_t>(row));
    batch.labels.push_back((row * row + row / 3) % kClasses);
    for (int i = 0; i < kShape.pixels(); ++i) {
      batch.images.push_back(
          static_cast<float>(0.5 + 0.5 * std::sin(0.3 * i * (1 + row % 11) + row)));
    }
  }
  return batch;
}

}  // namespace lockstep::samples
