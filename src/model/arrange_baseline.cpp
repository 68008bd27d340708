// The kernels that rearrange, for any processor.
#include "model/conv_kernels.h"

#define LOCKSTEP_KERNELS arrange_kernels_baseline

namespace lockstep {

namespace {

constexpr std::int64_t kBlock = 8;

inline void transpose_block(const std::int32_t* from, std::int64_t from_step, std::int32_t* to,
                            std::int64_t to_step) {
  for (std::int64_t i = 0; i < kBlock; ++i) {
    for (std::int64_t j = 0; j < kBlock; ++j) to[j * to_step + i] = from[i * from_step + j];
  }
}

// `values` values, and zeros up to `room`.
template <typename T>
inline void copy_row(const T* from, std::int64_t values, std::int64_t room, T* to) {
  for (std::int64_t i = 0; i < room; ++i) to[i] = i < values ? from[i] : T{};
}

}  // namespace

}  // namespace lockstep

#include "model/arrange_kernels.inc"
