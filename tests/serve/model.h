// A tiny model to serve: 2x3 grey images, two classes.
#pragma once

#include "lockstep/serve/served_model.h"

namespace lockstep {

struct TinyModel {
  Network network{ModelOptions{{FlattenOptions{}, DenseOptions{.units = 2}}}, ImageShape{2, 3, 1},
                  2};
  Weights weights{network.initial_weights(/*seed=*/5), Precision::kFp32};
  Normalization normalization{{1.0F / 255}, {0}};
  ServedModel served{"tiny", {"cat", "dog"}, network, weights, normalization, Framing{}, {}};
};

}  // namespace lockstep
