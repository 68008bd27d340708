#include <algorithm>
#include <cmath>
#include <numbers>

#include "lockstep/core/philox.h"
#include "lockstep/model/network.h"

namespace lockstep {

namespace {

double deviation(Initializer initializer, const Fans& fans) {
  switch (initializer) {
    case Initializer::kGlorotUniform:
    case Initializer::kGlorotNormal:
      return std::sqrt(2 / (fans.in + fans.out));
    case Initializer::kHeUniform:
    case Initializer::kHeNormal:
      return std::sqrt(2 / fans.in);
    case Initializer::kPytorch:
      return std::sqrt(1 / (3 * fans.in));
    case Initializer::kKaimingNormalFanOut:
      return std::sqrt(2 / fans.out);
    case Initializer::kTruncatedNormal:
      return 0.02;
  }
  return 0;
}

bool is_uniform(Initializer initializer) {
  return initializer == Initializer::kGlorotUniform || initializer == Initializer::kHeUniform ||
         initializer == Initializer::kPytorch;
}

// Element i of parameter p takes word i % 4 of block {i / 4, p}; a normal one
// takes both words of its pair (Box and Muller, 1958).
float draw(Initializer initializer, const Fans& fans, PhiloxKey key, std::uint32_t parameter,
           std::uint64_t element) {
  const auto block = philox(key, {static_cast<std::uint32_t>(element / 4), parameter, 0, 0});
  const double sigma = deviation(initializer, fans);
  if (is_uniform(initializer)) {
    const double u = unit_interval(block[element % 4]);
    return static_cast<float>(std::sqrt(3.0) * sigma * (2 * u - 1));
  }
  const std::size_t pair = element % 4 / 2 * 2;
  const double radius = std::sqrt(-2 * std::log(1.0 - unit_interval(block[pair])));
  const double angle = 2 * std::numbers::pi * unit_interval(block[pair + 1]);
  return static_cast<float>(sigma * radius *
                            (element % 2 == 0 ? std::cos(angle) : std::sin(angle)));
}

void draw_all(const Parameter& parameter, PhiloxKey key, std::uint32_t number,
              std::span<float> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = draw(parameter.initializer, parameter.fans, key, number, i);
  }
}

}  // namespace

std::vector<float> Network::initial_weights(std::uint64_t seed) const {
  std::vector<float> weights(static_cast<std::size_t>(total_size_), 0.0F);
  const PhiloxKey key = philox_key(seed, Purpose::kInitialize);
  for (std::size_t p = 0; p < parameters().size(); ++p) {
    const Parameter& parameter = parameters()[p];
    const auto values =
        std::span(weights).subspan(static_cast<std::size_t>(parameter.range.first),
                                   static_cast<std::size_t>(parameter.range.size()));
    switch (parameter.role) {
      case Role::kWeight:
        draw_all(parameter, key, static_cast<std::uint32_t>(p), values);
        break;
      case Role::kBias:
        if (parameter.initializer != Initializer::kPytorch) break;
        draw_all(parameter, key, static_cast<std::uint32_t>(p), values);
        break;
      case Role::kScale:
      case Role::kRunningVariance:
        std::fill(values.begin(), values.end(), 1.0F);
        break;
      case Role::kShift:
      case Role::kRunningMean:
        break;
    }
  }
  return weights;
}

}  // namespace lockstep
