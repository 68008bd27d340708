// How the training rows frame their subject.
#pragma once

#include "lockstep/comm/communicator.h"
#include "lockstep/data/training_data.h"
#include "lockstep/pictures/framing.h"

namespace lockstep {

// Collective: the framing of the training rows, images of `shape`. Only images of
// one channel can be framed; they are when 3 of 4 pixels of their outermost rows
// and columns are within 16 levels of the median of these. Made of integer sums,
// so the same at every world size.
Framing measure_framing(Communicator& comm, const TrainingData& data, const ImageShape& shape);

}  // namespace lockstep
