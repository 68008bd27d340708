#include "model/dense_bf16.h"

#include <algorithm>

#include "lockstep/model/lane_executor.h"

namespace lockstep {

namespace {

constexpr std::int64_t kVector = 16;

// A row of samples as an image: y[n, f] = sum over c of x[n, c] w[c, f].
Correlation product(std::int64_t samples, std::int64_t channels, std::int64_t filters) {
  return {.samples = 1,
          .height = 1,
          .width = samples,
          .channels = channels,
          .out_height = 1,
          .out_width = samples,
          .filters = filters,
          .kernel = 1,
          .top = 0};
}

}  // namespace

bool DenseBf16::can_train(std::int64_t inputs, std::int64_t units) {
  return has_bf16_instructions() && inputs % kVector == 0 && units % kVector == 0;
}

DenseBf16::DenseBf16(std::int64_t inputs, std::int64_t units)
    : kernels_(kConvBf16Kernels), inputs_(inputs), units_(units) {
  weights_.resize(static_cast<std::size_t>(inputs * units));
}

void DenseBf16::forward(std::int64_t samples, const std::uint16_t* x, const std::uint16_t* weight,
                        const std::uint16_t* bias, std::uint16_t* y) {
  kernels_.transpose(weight, units_, inputs_ / 2, weights_.data());
  kernels_.correlate(product(samples, inputs_, units_), x, weights_.data(), bias, y);
}

void DenseBf16::backward_input(std::int64_t samples, const std::uint16_t* dy,
                               const std::uint16_t* weight, std::uint16_t* dx) {
  kernels_.pair_rows(weight, units_, inputs_, 2, weights_.data());
  kernels_.correlate(product(samples, units_, inputs_), dy, weights_.data(), nullptr, dx);
}

// The gradient of the weights of a product that has dy for its input and x for the
// gradient of its output: it comes as [units, inputs], as it is stored.
void DenseBf16::backward_weight(std::int64_t samples, const std::uint16_t* x,
                                const std::uint16_t* dy, float* dweight) {
  x_pairs_.resize(static_cast<std::size_t>((samples + 1) / 2 * 2 * inputs_));
  dy_pairs_.resize(static_cast<std::size_t>(2 * samples * units_));
  kernels_.pair_rows(x, samples, inputs_, 2, x_pairs_.data());
  kernels_.pair_rows(dy, samples, units_, 1, dy_pairs_.data());
  std::fill_n(dweight, units_ * inputs_, 0.0F);
  kernels_.correlate_weights(product(samples, units_, inputs_), dy_pairs_.data(), x_pairs_.data(),
                             dweight);
}

}  // namespace lockstep
