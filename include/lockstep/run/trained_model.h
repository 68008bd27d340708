// Trained weights with what is needed to use them: read from a CHECKPOINT, which
// is a run folder (its best weights), a checkpoint folder or a .safetensors file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lockstep/checkpoint/safetensors.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/config/experiment.h"
#include "lockstep/data/normalization.h"
#include "lockstep/model/network.h"
#include "lockstep/model/weights.h"
#include "lockstep/pictures/framing.h"

namespace lockstep {

struct TrainedModel {
  Experiment experiment;
  Normalization normalization;
  Framing framing;
  Network network;
  Weights weights;

  // Collective. Errors (2, agreed) name the file.
  static TrainedModel load(Communicator& comm, const std::string& checkpoint);
};

// The file of weights that a CHECKPOINT names. Local. Error (2): there is none.
std::filesystem::path find_weights(const std::filesystem::path& checkpoint);

// Collective: error (2, agreed) where `checkpoint` is a run folder or a checkpoint folder whose
// run was trained on other rows than those of the digest; of weights alone nothing is known.
void check_training_rows(Communicator& comm, const std::string& checkpoint, const Digest& rows);

// The weights used where the user names none: models/digits.safetensors of the project's
// folder, which is LOCKSTEP_ROOT, or else the first of the working folder, the program's
// own and the one above that to have it. Local. Error (2): `problem` and where it is not.
std::string default_checkpoint(const std::string& problem);

// Of the entry that every file of ours has.
inline constexpr const char* kExperimentKey = "lockstep.experiment";

// What the file's metadata must hold for that.
Metadata metadata_of(const Experiment& experiment, const Normalization& normalization,
                     const Framing& framing);

// data.class_names, or where there are none data.labels, or "0", "1", ....
std::vector<std::string> class_names_of(const DataOptions& options);

}  // namespace lockstep
