// Muon's update of one matrix on the CPU; see train/optimizer.h.
#pragma once

#include <cstdint>

namespace lockstep {

struct MatrixMove {
  std::int64_t rows, columns;
  float momentum;
  float gradient_factor;
  float rate;  // times the matrix' scale
  float keep;  // of the weights
};

// Local, any thread: of [rows, columns] each.
void move_orthogonally(const MatrixMove& move, const float* gradient, float* weight,
                       float* momentum);

}  // namespace lockstep
