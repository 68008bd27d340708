// What a server answers with. Lent by main, never changed while served.
#pragma once

#include <string>
#include <vector>

#include "lockstep/data/normalization.h"
#include "lockstep/model/network.h"
#include "lockstep/model/weights.h"
#include "lockstep/pictures/framing.h"
#include "lockstep/pictures/options.h"

namespace lockstep {

struct ServedModel {
  std::string name;
  std::vector<std::string> class_names;  // [network.classes()]
  const Network& network;
  const Weights& weights;
  const Normalization& normalization;  // of levels from 0 to 255
  Framing framing;
  PictureFitOptions images;  // where there is no framing
};

}  // namespace lockstep
