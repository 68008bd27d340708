// lockstep export: trained weights as a file for other programs.

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "app/commands.h"
#include "lockstep/checkpoint/checkpoint_folder.h"
#include "lockstep/checkpoint/safetensors.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/text.h"
#include "lockstep/exporting/onnx.h"
#include "lockstep/model/exported_model.h"
#include "lockstep/model/torchscript.h"
#include "lockstep/run/run_files.h"
#include "lockstep/run/run_record.h"
#include "lockstep/run/trained_model.h"
#include "lockstep/train/run_state.h"

namespace lockstep {

namespace {

// The run folder that a CHECKPOINT is or lies in: <run>/checkpoints/<step>/<file>. Empty
// when it is in none.
fs::path run_folder_of(const fs::path& checkpoint) {
  fs::path folder = fs::weakly_canonical(checkpoint);
  for (int level = 0; level <= 3; ++level, folder = folder.parent_path()) {
    if (fs::is_regular_file(folder / kExperimentFile)) return folder;
  }
  return {};
}

// What metrics.jsonl calls the weights: where they are a moving average, it has the
// digest of those in training, which lie beside them.
std::string recorded_digest(const TrainedModel& model, const fs::path& checkpoint) {
  const fs::path weights = find_weights(checkpoint);
  const fs::path training = weights.parent_path() / kTrainingWeights;
  if (weights.filename() == kWeightsFile && fs::is_regular_file(training)) {
    std::vector<float> values = weights_from(model.network, SafetensorsFile(training));
    return Weights(std::move(values), Precision::kFp32).digest(model.network).hex();
  }
  return model.weights.digest(model.network).hex();
}

// On the validation rows, as the run's metrics tell it of these weights. Empty when
// they do not.
std::string validation_accuracy(const TrainedModel& model, const std::string& checkpoint) {
  const fs::path run_dir = run_folder_of(checkpoint);
  if (run_dir.empty()) return {};
  const std::string digest = recorded_digest(model, checkpoint);
  for (const MetricsPoint& point : read_run_record(run_dir).epochs) {
    if (point.weights_digest != digest || !std::isfinite(point.val_accuracy)) continue;
    return fmt::format("{}", point.val_accuracy);
  }
  return {};
}

Metadata exported_metadata(const TrainedModel& model, const std::string& checkpoint) {
  Metadata metadata = metadata_of(model.experiment, model.normalization, model.framing);
  metadata["lockstep.classes"] = nlohmann::json(class_names_of(model.experiment.data)).dump();
  const std::string accuracy = validation_accuracy(model, checkpoint);
  if (!accuracy.empty()) metadata["lockstep.validation_accuracy"] = accuracy;
  return metadata;
}

std::string content_of(const TrainedModel& model, const Metadata& metadata, ExportFormat format) {
  if (format == ExportFormat::kSafetensors) {
    return to_safetensors(tensors_of(model.network, model.weights.values()), metadata);
  }
  const ExportedModel exported{model.network, model.weights.values(), model.normalization.factor,
                               model.normalization.offset, metadata};
  return format == ExportFormat::kOnnx ? to_onnx(exported) : to_torchscript(exported);
}

}  // namespace

int run_export(Communicator& comm, const CommandLine& line) {
  const TrainedModel model = TrainedModel::load(comm, line.checkpoint);
  check_out(comm, line.out);
  comm.begin_long_work("exporting", 0);
  agree(comm, [&] {
    if (comm.rank() != 0) return;
    const std::string content =
        content_of(model, exported_metadata(model, line.checkpoint), line.format);
    write_output_file(line.out, content);
    fmt::print("{}, {} bytes to {}\n", count_of(model.network.parameter_count(), "parameter"),
               content.size(), line.out);
  });
  return 0;
}

}  // namespace lockstep
