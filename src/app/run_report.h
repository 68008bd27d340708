// The report of a run: gathers from all ranks what it shows, and writes its files.
#pragma once

#include <filesystem>
#include <span>

#include "lockstep/comm/communicator.h"
#include "lockstep/config/experiment.h"
#include "lockstep/core/digest.h"
#include "lockstep/data/training_data.h"
#include "lockstep/eval/evaluation.h"
#include "lockstep/model/network.h"

namespace lockstep {

// Trained weights and what they gave on the validation rows.
struct EvaluatedRun {
  const Experiment& experiment;
  const Network& network;
  const TrainingData& data;
  const Evaluation& validation;
  std::span<const float> logits;  // [rows of data.validation() held here, classes]
  Digest weights_digest;
  std::filesystem::path run_dir;
};

// Collective: writes report.html and its pictures to `folder`, which is made where
// it is not there. The files are the same at every world size. Errors are agreed.
void write_report(Communicator& comm, const EvaluatedRun& run, const std::filesystem::path& folder);

}  // namespace lockstep
