// A trained network as an ONNX model, for ONNX Runtime and others. Pure; any thread.
#pragma once

#include <string>

#include "lockstep/model/exported_model.h"

namespace lockstep {

// The bytes of the file: operator set 17, input "pixels" (float, [batch, channels,
// height, width]), output "logits" (float, [batch, classes]), the batch being of any
// size. The metadata are the model's properties. Throws Error (2) for a model above
// the format's 2 GiB.
std::string to_onnx(const ExportedModel& model);

}  // namespace lockstep
