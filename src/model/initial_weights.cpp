#include <algorithm>
#include <cmath>
#include <numbers>

#include "lockstep/core/philox.h"
#include "lockstep/model/network.h"

namespace lockstep {

namespace {

struct Fans {
  double in = 0;
  double out = 0;
};

double deviation(Initializer initializer, const Fans& fans) {
  const bool glorot =
      initializer == Initializer::kGlorotUniform || initializer == Initializer::kGlorotNormal;
  return std::sqrt(2 / (glorot ? fans.in + fans.out : fans.in));
}

// Element i of parameter p takes word i % 4 of block {i / 4, p}; a normal one
// takes both words of its pair (Box and Muller, 1958).
float draw(Initializer initializer, const Fans& fans, PhiloxKey key, std::uint32_t parameter,
           std::uint64_t element) {
  const auto block = philox(key, {static_cast<std::uint32_t>(element / 4), parameter, 0, 0});
  const double sigma = deviation(initializer, fans);
  const bool uniform =
      initializer == Initializer::kGlorotUniform || initializer == Initializer::kHeUniform;
  if (uniform) {
    const double u = unit_interval(block[element % 4]);
    return static_cast<float>(std::sqrt(3.0) * sigma * (2 * u - 1));
  }
  const std::size_t pair = element % 4 / 2 * 2;
  const double radius = std::sqrt(-2 * std::log(1.0 - unit_interval(block[pair])));
  const double angle = 2 * std::numbers::pi * unit_interval(block[pair + 1]);
  return static_cast<float>(sigma * radius *
                            (element % 2 == 0 ? std::cos(angle) : std::sin(angle)));
}

void draw_weight(const Parameter& weight, PhiloxKey key, std::uint32_t number,
                 std::span<float> values) {
  const auto outputs = static_cast<double>(weight.shape.front());
  const auto inputs = static_cast<double>(weight.shape.back());
  const double area = static_cast<double>(weight.range.size()) / (outputs * inputs);
  const Fans fans{inputs * area, outputs * area};
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = draw(weight.initializer, fans, key, number, i);
  }
}

}  // namespace

std::vector<float> Network::initial_weights(std::uint64_t seed) const {
  std::vector<float> weights(static_cast<std::size_t>(total_size()), 0.0F);
  const PhiloxKey key = philox_key(seed, Purpose::kInitialize);
  for (std::size_t p = 0; p < parameters().size(); ++p) {
    const Parameter& parameter = parameters()[p];
    const auto values =
        std::span(weights).subspan(static_cast<std::size_t>(parameter.range.first),
                                   static_cast<std::size_t>(parameter.range.size()));
    switch (parameter.role) {
      case Role::kWeight:
        draw_weight(parameter, key, static_cast<std::uint32_t>(p), values);
        break;
      case Role::kScale:
      case Role::kRunningVariance:
        std::fill(values.begin(), values.end(), 1.0F);
        break;
      case Role::kBias:
      case Role::kShift:
      case Role::kRunningMean:
        break;
    }
  }
  return weights;
}

}  // namespace lockstep
