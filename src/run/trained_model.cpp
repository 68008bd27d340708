#include "lockstep/run/trained_model.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/text.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/run/initial_weights.h"
#include "lockstep/run/place.h"
#include "lockstep/train/run_state.h"

namespace lockstep {

namespace {

constexpr const char* kNormalizationKey = "lockstep.normalization";
constexpr const char* kFramingKey = "lockstep.framing";
constexpr const char* kDefaultWeights = "models/digits.safetensors";

const std::string& metadata_entry(const SafetensorsFile& file, const char* key) {
  const auto found = file.metadata().find(key);
  if (found == file.metadata().end()) {
    fail_usage("its metadata have no \"{}\", so it was not written by lockstep", key);
  }
  return found->second;
}

Normalization read_normalization(const std::string& text, int channels) {
  try {
    const auto json = nlohmann::json::parse(text);
    Normalization read{json.at("factor").get<std::vector<float>>(),
                       json.at("offset").get<std::vector<float>>()};
    const auto count = static_cast<std::size_t>(channels);
    if (read.factor.size() == count && read.offset.size() == count) return read;
    fail_usage("its metadata entry \"{}\" is for {} and {} channels; expected {}",
               kNormalizationKey, read.factor.size(), read.offset.size(), channels);
  } catch (const nlohmann::json::exception&) {
    fail_usage("its metadata entry \"{}\" is not what lockstep writes", kNormalizationKey);
  }
}

// Weights written before there was such an entry have none.
Framing read_framing(const SafetensorsFile& file, const ImageShape& shape) {
  const auto found = file.metadata().find(kFramingKey);
  if (found == file.metadata().end()) return assumed_framing(shape);
  try {
    const auto json = nlohmann::json::parse(found->second);
    if (json.at("framed").get<bool>() == false) return {};
    const Framing framing{true, json.at("background").get<double>(),
                          json.at("foreground").get<double>(),
                          json.at("longer_side_pixels").get<double>()};
    const auto is_level = [](double value) { return value >= 0 && value <= 255; };
    if (shape.channels == 1 && is_level(framing.background) && is_level(framing.foreground) &&
        framing.longer_side_pixels >= 1 &&
        framing.longer_side_pixels <= std::max(shape.width, shape.height)) {
      return framing;
    }
  } catch (const nlohmann::json::exception&) {
  }
  fail_usage("its metadata entry \"{}\" is not what lockstep writes", kFramingKey);
}

TrainedModel read_model(const fs::path& path) {
  const SafetensorsFile file(read_checkpoint_file(path), path.string());
  try {
    Experiment experiment = parse_experiment(metadata_entry(file, kExperimentKey),
                                             "experiment in the metadata", {}, Check::kKept);
    if (!has_bf16_instructions()) experiment.parallel.precision = Precision::kFp32;
    Normalization normalization =
        read_normalization(metadata_entry(file, kNormalizationKey), experiment.data.shape.channels);
    const Framing framing = read_framing(file, experiment.data.shape);
    Network network = make_network(experiment);
    std::vector<float> values = weights_from(network, file);
    if (!std::all_of(values.begin(), values.end(), [](float w) { return std::isfinite(w); })) {
      fail_usage("not all of its weights are finite");
    }
    Weights weights(std::move(values), experiment.parallel.precision);
    return {experiment, std::move(normalization), framing, std::move(network), std::move(weights)};
  } catch (const Error& error) {
    throw error.within(path.string());
  }
}

// A version before the check trained such a model.
void warn_of_equal_labels(const std::vector<std::string>& labels, const std::string& checkpoint) {
  std::set<std::string> seen;
  for (const std::string& label : labels) {
    if (seen.insert(label).second) continue;
    spdlog::warn(
        "{}: data.labels holds \"{}\" twice, which an earlier version let pass: both are one "
        "class, and the last class has no rows",
        checkpoint, printable(label));
  }
}

}  // namespace

fs::path find_weights(const fs::path& checkpoint) {
  if (fs::is_regular_file(checkpoint)) return checkpoint;
  for (const fs::path& candidate :
       {checkpoint / kWeightsFile, best_link(checkpoint) / kWeightsFile}) {
    if (fs::is_regular_file(candidate)) return candidate;
  }
  fail_usage(
      "{}: no trained weights there; a CHECKPOINT is a run folder with checkpoints/best, a "
      "checkpoint folder with {}, or a .safetensors file",
      checkpoint.string(), kWeightsFile);
}

TrainedModel TrainedModel::load(Communicator& comm, const std::string& checkpoint) {
  std::optional<TrainedModel> model;
  agree(comm, [&] { model.emplace(read_model(find_weights(checkpoint))); });
  check_same(comm, "model in " + checkpoint, "xxh3:" + model->weights.digest(model->network).hex(),
             "copy one to all hosts");
  if (comm.rank() == 0) warn_of_equal_labels(model->experiment.data.labels, checkpoint);
  return std::move(*model);
}

void check_training_rows(Communicator& comm, const std::string& checkpoint, const Digest& rows) {
  agree(comm, [&] {
    const fs::path state = find_weights(checkpoint).parent_path() / kStateFile;
    if (comm.rank() != 0 || !fs::is_regular_file(state)) return;
    const auto json = nlohmann::json::parse(read_checkpoint_file(state), nullptr, false);
    const auto trained = json.is_object() ? json.find("data_digest") : json.end();
    if (trained == json.end() || *trained == rows.hex()) return;
    fail_usage(
        "{}: was trained on other rows (digest {}) than data.train has now ({}), so its validation "
        "rows cannot be told; put the file back, or name rows by --data",
        checkpoint, trained->dump(), rows.hex());
  });
}

std::string default_checkpoint(const std::string& problem) {
  std::vector<fs::path> roots;
  if (const char* root = std::getenv("LOCKSTEP_ROOT"); root != nullptr) {
    roots = {root};
  } else {
    std::error_code none;
    const fs::path folder = fs::read_symlink("/proc/self/exe", none).parent_path();
    roots = {"", folder, folder.parent_path()};
  }
  std::string places;
  for (const fs::path& root : roots) {
    const fs::path path = root / kDefaultWeights;
    if (fs::is_regular_file(path)) return path.string();
    places += (places.empty() ? "" : " or ") + path.string();
  }
  fail_usage("{}, and there is no {}", problem, places);
}

Metadata metadata_of(const Experiment& experiment, const Normalization& normalization,
                     const Framing& framing) {
  using Json = nlohmann::ordered_json;
  const Json pixels = {{"factor", normalization.factor}, {"offset", normalization.offset}};
  Json frame = {{"framed", framing.framed}};
  if (framing.framed) {
    frame["background"] = framing.background;
    frame["foreground"] = framing.foreground;
    frame["longer_side_pixels"] = framing.longer_side_pixels;
  }
  return {{kExperimentKey, to_text(experiment)},
          {kNormalizationKey, pixels.dump()},
          {kFramingKey, frame.dump()}};
}

std::vector<std::string> class_names_of(const DataOptions& options) {
  if (!options.class_names.empty()) return options.class_names;
  if (!options.labels.empty()) return options.labels;
  std::vector<std::string> names;
  for (int index = 0; index < options.classes; ++index) names.push_back(std::to_string(index));
  return names;
}

}  // namespace lockstep
