// The evaluation section of an experiment. Plain values, the only home of their defaults.
#pragma once

#include <vector>

namespace lockstep {

struct EvaluationOptions {
  int top_k = 0;               // 0: kUsualTopK where there are many classes, else none
  bool average_flips = false;  // the logits of each image and its mirror image
  // Pixels, 0: none. The logits of each image, twice, and of it moved so far left and up, and right
  // and down, its edges being repeated: test-time augmentation of Jordan, "94% on CIFAR-10 in 3.29
  // Seconds on a Single GPU" (2024), section 3.5.
  int average_shifts = 0;
};

// An image as it is looked at: the pixel (x, y) is that of (x + shift, y + shift), moved into the
// image; then left and right are swapped.
struct View {
  int shift;
  bool mirrored;
  float part;  // of the averages; a power of 2, and all together are 1
};

// Of an image; the one of no shift that is not mirrored first.
inline std::vector<View> views_of(const EvaluationOptions& options) {
  std::vector<View> views = {{0, false, 1}};
  if (options.average_shifts > 0) {
    const int shift = options.average_shifts;
    views = {{0, false, 0.5F}, {shift, false, 0.25F}, {-shift, false, 0.25F}};
  }
  if (!options.average_flips) return views;
  std::vector<View> both;
  for (const View& view : views) {
    for (const bool mirrored : {false, true}) {
      both.push_back({view.shift, mirrored, view.part / 2});
    }
  }
  return both;
}

inline constexpr int kUsualTopK = 5;
inline constexpr int kFewClasses = 10;

// 0: none.
inline int top_k_of(const EvaluationOptions& options, int classes) {
  if (options.top_k > 0) return options.top_k;
  return classes > kFewClasses ? kUsualTopK : 0;
}

}  // namespace lockstep
