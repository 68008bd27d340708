// Each loop is compiled for its own instructions by an attribute, and calls nothing that
// would be compiled for them along with it.
#include "lockstep/model/peak.h"

#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <vector>

#include "lockstep/model/instruction_set.h"
#include "lockstep/model/lane_executor.h"

namespace lockstep {

namespace {

constexpr int kRounds = 40;       // of which the best counts
constexpr int kRepeats = 40'000;  // in a round, about 2 ms
constexpr int kChains = 16;       // of sums that do not wait for one another

// Hides from the compiler what a register holds, so that no product is saved.
#define LOCKSTEP_OPAQUE(value) asm volatile("" : "+v"(value))

// GCC 12 takes its own headers' undefined vectors for a fault.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

__attribute__((target("avx512f,avx512bf16"))) void multiply_bf16_avx512() {
  __m512 sums[kChains];
  __m512i ones = _mm512_set1_epi32(0x3F803F80);   // 1, 1
  __m512i signs = _mm512_set1_epi32(0x3F80BF80);  // -1, 1: a sum stays where it is
  LOCKSTEP_OPAQUE(ones);
  LOCKSTEP_OPAQUE(signs);
  for (auto& sum : sums) sum = _mm512_setzero_ps();
  for (int i = 0; i < kRepeats; ++i) {
#pragma GCC unroll 16
    for (auto& sum : sums) {
      sum = _mm512_dpbf16_ps(sum, (__m512bh)ones, (__m512bh)signs);
      LOCKSTEP_OPAQUE(sum);
    }
  }
}

// Sums in four tiles, of factors in four others.
__attribute__((target("amx-tile,amx-bf16"))) void multiply_bf16_amx() {
  struct alignas(64) {
    std::uint8_t palette = 1;
    std::uint8_t reserved[15] = {};
    std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } const shapes;
  asm volatile("ldtilecfg %0" : : "m"(shapes));
  for (int i = 0; i < kRepeats; ++i) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
}

__attribute__((target("avx512f"))) void multiply_avx512() {
  __m512 sums[kChains];
  __m512 half = _mm512_set1_ps(0.5F);
  LOCKSTEP_OPAQUE(half);
  for (auto& sum : sums) sum = half;
  for (int i = 0; i < kRepeats; ++i) {
#pragma GCC unroll 16
    for (auto& sum : sums) {
      sum = _mm512_fmadd_ps(sum, half, half);
      LOCKSTEP_OPAQUE(sum);
    }
  }
}

// Of 16 registers some must hold the factors.
__attribute__((target("avx2,fma"))) void multiply_avx2() {
  __m256 sums[kChains - 4];
  __m256 half = _mm256_set1_ps(0.5F);
  LOCKSTEP_OPAQUE(half);
  for (auto& sum : sums) sum = half;
  for (int i = 0; i < kRepeats; ++i) {
#pragma GCC unroll 16
    for (auto& sum : sums) {
      sum = _mm256_fmadd_ps(sum, half, half);
      LOCKSTEP_OPAQUE(sum);
    }
  }
}

void multiply_sse() {
  __m128 sums[kChains - 4];
  __m128 half = _mm_set1_ps(0.5F);
  LOCKSTEP_OPAQUE(half);
  for (auto& sum : sums) sum = half;
  for (int i = 0; i < kRepeats; ++i) {
#pragma GCC unroll 16
    for (auto& sum : sums) {
      sum = _mm_add_ps(_mm_mul_ps(sum, half), half);
      LOCKSTEP_OPAQUE(sum);
    }
  }
}

#pragma GCC diagnostic pop

struct Loop {
  void (*run)();
  double flops;  // of a run
};

Loop fp32_loop() {
  constexpr double kTwo = 2;  // a product and a sum
  if (instruction_set() >= InstructionSet::kAvx512) {
    return {multiply_avx512, kTwo * 16 * kChains * kRepeats};
  }
  if (instruction_set() >= InstructionSet::kAvx2) {
    return {multiply_avx2, kTwo * 8 * (kChains - 4) * kRepeats};
  }
  return {multiply_sse, kTwo * 4 * (kChains - 4) * kRepeats};
}

std::vector<Loop> loops_of(Precision precision) {
  std::vector<Loop> loops = {fp32_loop()};
  if (precision == Precision::kBf16 && has_bf16_instructions()) {
    loops.push_back({multiply_bf16_avx512, 2.0 * 32 * kChains * kRepeats});
  }
  if (precision == Precision::kBf16 && instruction_set() >= InstructionSet::kAmx) {
    loops.push_back({multiply_bf16_amx, 4 * 2.0 * 16 * 16 * 32 * kRepeats});
  }
  return loops;
}

}  // namespace

double measure_peak_flops(Workers& workers, Precision precision) {
  using Clock = std::chrono::steady_clock;
  const std::vector<Loop> loops = loops_of(precision);
  std::vector<double> flops(static_cast<std::size_t>(workers.count()));
  workers.run([&](int worker) {
    double& best = flops[static_cast<std::size_t>(worker)];
    for (int round = 0; round < kRounds; ++round) {
      for (const Loop& loop : loops) {
        const auto begin = Clock::now();
        loop.run();
        const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
        best = std::max(best, loop.flops / seconds);
      }
    }
  });
  return std::accumulate(flops.begin(), flops.end(), 0.0);
}

}  // namespace lockstep
