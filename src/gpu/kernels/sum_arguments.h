// The arguments of the kernels that sum over lanes; what arguments.h says holds here.
#pragma once

namespace lockstep::gpu {

// A sum along the tree: `program` in postfix order, kAdd or the index of a buffer. Grid: a thread
// an element.
struct AddAlongTree {
  const float* const* buffers;  // each [count]
  const int* program;
  int program_size;
  long long count;
  long long rounded;  // elements, the first ones, that are kept as bf16
  float* to;
};

// Values, and as bf16 for their way to another rank. Grid: a thread an element.
struct Packed {
  float* values;
  unsigned short* bits;
  long long count;
};

// Sums of squares of blocks of kSquareBlock values. Grid: a block each.
struct Squares {
  const float* values;
  double* by_block;
  long long count;
};

inline constexpr int kSquareBlock = 4096;

}  // namespace lockstep::gpu
