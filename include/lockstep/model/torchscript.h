// A trained network as a TorchScript module, for torch.jit.load. Pure, but for what
// LibTorch keeps of a process; any thread.
#pragma once

#include <string>

#include "lockstep/model/exported_model.h"

namespace lockstep {

// The bytes of the file. forward(pixels) takes pixels of any dtype and works on the
// module's device; parameters are named "conv_0_weight", with LibTorch's shapes. The
// metadata are extra files of the archive, under their keys.
std::string to_torchscript(const ExportedModel& model);

}  // namespace lockstep
