// The evaluation section of an experiment. Plain values, the only home of their defaults.
#pragma once

namespace lockstep {

struct EvaluationOptions {
  int top_k = 0;               // 0: kUsualTopK where there are many classes, else none
  bool average_flips = false;  // the logits of each image and its mirror image
};

inline constexpr int kUsualTopK = 5;
inline constexpr int kFewClasses = 10;

// 0: none.
inline int top_k_of(const EvaluationOptions& options, int classes) {
  if (options.top_k > 0) return options.top_k;
  return classes > kFewClasses ? kUsualTopK : 0;
}

}  // namespace lockstep
