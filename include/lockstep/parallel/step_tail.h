// The end of a lane's flat buffer, after gradients and statistics: what a step counts,
// summed over lanes with the rest. Indices from network.changing_size(). Read by the compiler
// for GPUs too.
#pragma once

namespace lockstep {

// A rank's wish, which travels in the step's own sum so that all ranks learn of
// it at the same step.
enum class Flag { kStop, kSave };
inline constexpr int kFlags = 2;

enum StepTail : long { kLoss, kCorrect, kSamples, kLossWeight, kFirstFlag, kTailSize = 16 };
static_assert(kFirstFlag + kFlags <= kTailSize);

}  // namespace lockstep
