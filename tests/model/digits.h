// The reference experiment's network, for the tests of the model room.
#pragma once

#include "lockstep/model/options.h"

namespace lockstep::samples {

inline ModelOptions digits_model(bool with_dropout) {
  constexpr ActivationKind kRelu = ActivationKind::kRelu;
  ModelOptions model;
  const auto drop = [&](float rate) {
    if (with_dropout) model.layers.push_back(DropoutOptions{rate});
  };
  for (const int filters : {32, 64}) {
    model.layers.push_back(ConvOptions{.filters = filters, .activation = kRelu});
    model.layers.push_back(BatchNormOptions{});
    model.layers.push_back(ConvOptions{.filters = filters, .activation = kRelu});
    model.layers.push_back(MaxPoolOptions{});
    drop(0.25F);
  }
  model.layers.push_back(ConvOptions{.filters = 128, .activation = kRelu});
  model.layers.push_back(BatchNormOptions{});
  drop(0.25F);
  model.layers.push_back(FlattenOptions{});
  model.layers.push_back(DenseOptions{.units = 512, .activation = kRelu});
  model.layers.push_back(BatchNormOptions{});
  drop(0.5F);
  model.layers.push_back(DenseOptions{.units = 256, .activation = kRelu});
  drop(0.5F);
  model.layers.push_back(DenseOptions{.units = 10});
  return model;
}

}  // namespace lockstep::samples
