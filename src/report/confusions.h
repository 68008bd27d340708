// Pairs of classes that were taken for one another. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lockstep/eval/evaluation.h"

namespace lockstep {

struct Confusion {
  int truth;
  int predicted;
  std::int64_t rows;
};

// The pairs that occur, the most rows first, then by class.
std::vector<Confusion> confusions(const Evaluation& evaluation);

}  // namespace lockstep
