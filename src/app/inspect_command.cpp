// lockstep inspect: data, experiments, and what a training left.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/commands.h"
#include "lockstep/checkpoint/checkpoint_store.h"
#include "lockstep/checkpoint/safetensors.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/text.h"
#include "lockstep/run/run_files.h"
#include "lockstep/train/run_state.h"

namespace lockstep {

namespace {

using Json = nlohmann::ordered_json;

// Each line is set in, so that none can be taken for one of ours.
void print_indented(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    fmt::print("    {}\n", printable(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

void inspect_weights(const fs::path& path, const CommandLine& line) {
  const SafetensorsFile file(read_file(path), path.string(), Dtypes::kAny);
  if (line.json) {
    Json json = {{"kind", "weights"}, {"path", path.string()}, {"tensors", Json::array()}};
    for (const TensorView& tensor : file.tensors()) {
      json["tensors"].push_back({{"name", tensor.name}, {"shape", tensor.shape}});
    }
    for (const auto& [name, dtype] : file.unread()) {
      json["unread"].push_back({{"name", name}, {"dtype", dtype}});
    }
    json["metadata"] = file.metadata();
    print_json(json);
    return;
  }
  fmt::print("{}: whole\n", path.string());
  for (const TensorView& tensor : file.tensors()) {
    fmt::print("  {:<28} [{}]\n", printable(tensor.name), fmt::join(tensor.shape, ", "));
  }
  for (const auto& [name, dtype] : file.unread()) {
    fmt::print("  {:<28} {}, which is not read\n", printable(name), printable(dtype));
  }
  for (const auto& [key, value] : file.metadata()) {
    fmt::print("{}:\n", printable(key));
    print_indented(value);
  }
}

// A whole checkpoint; printed unless it shall be JSON.
Json inspect_checkpoint(const fs::path& folder, const CommandLine& line) {
  const CheckpointFiles files = read_checkpoint(folder);
  const RunState state = read_run_state(files);
  Json json = {{"kind", "checkpoint"},
               {"path", folder.string()},
               {"whole", true},
               {"files", Json::object()},
               {"step", state.loop.step},
               {"epoch", state.loop.epoch},
               {"epoch_step", state.loop.epoch_step},
               {"seed", state.seed},
               {"world_size", state.world_size},
               {"weights_digest", "xxh3:" + state.weights_digest},
               {"data_digest", "xxh3:" + state.data_digest}};
  for (const auto& [name, content] : files) json["files"][name] = content.size();
  if (line.json) return json;
  fmt::print("{}: whole\n", folder.string());
  for (const auto& [name, content] : files)
    fmt::print("  {:<28} {} bytes\n", printable(name), content.size());
  fmt::print(
      "  step {}, {} and {} done, seed {}, saved by {}\n"
      "  weights xxh3:{}\n  data xxh3:{}\n",
      state.loop.step, count_of(state.loop.epoch, "epoch"), count_of(state.loop.epoch_step, "step"),
      state.seed, count_of(state.world_size, "rank"), state.weights_digest, state.data_digest);
  return json;
}

// A folder of anything else may be one of images; an empty one is neither.
bool is_run_folder(const fs::path& path) {
  return fs::is_directory(path) && (fs::exists(path / kCheckpointsFolder) ||
                                    fs::exists(path / kExperimentFile) || fs::is_empty(path));
}

// All are looked at; the first that is not whole becomes the error.
void inspect_run(const fs::path& run_dir, const CommandLine& line) {
  const std::vector<std::int64_t> steps = CheckpointStore(run_dir).steps();
  if (steps.empty()) fail_usage("{}: no checkpoint there", run_dir.string());
  Json json = {{"kind", "run"}, {"path", run_dir.string()}, {"checkpoints", Json::array()}};
  std::optional<Error> first;
  for (const std::int64_t step : steps) {
    const fs::path folder = checkpoint_folder(run_dir, step);
    try {
      json["checkpoints"].push_back(inspect_checkpoint(folder, line));
    } catch (const Error& error) {
      const char* const fault = is_of_newer_format(folder) ? "of a newer format" : "not whole";
      if (!line.json) fmt::print("{}: {}\n", folder.string(), fault);
      json["checkpoints"].push_back(
          {{"path", folder.string()}, {"whole", false}, {"fault", error.what()}});
      if (!first) first = error;
    }
  }
  std::error_code none;
  const fs::path best = fs::read_symlink(best_link(run_dir), none);
  if (!best.empty()) json["best"] = best.string();
  if (line.json) {
    print_json(json);
  } else if (!best.empty()) {
    fmt::print("best: {}\n", printable(best.string()));
  }
  if (first) throw *first;
}

// Which of the three kinds of file it is, by its place and name.
void inspect(Communicator& comm, const CommandLine& line) {
  const fs::path path = line.checkpoint;
  const std::string ending = path.extension().string();
  constexpr std::array<std::string_view, 4> kExperimentEndings = {".textproto", ".txtpb", ".pbtxt",
                                                                  ".prototxt"};
  if (!fs::exists(path)) fail_usage("{}: no such file or folder", line.checkpoint);
  if (is_checkpoint(path)) {
    const Json json = inspect_checkpoint(path, line);
    if (line.json) print_json(json);
  } else if (is_run_folder(path)) {
    inspect_run(path, line);
  } else if (ending == ".safetensors") {
    inspect_weights(path, line);
  } else if (std::find(kExperimentEndings.begin(), kExperimentEndings.end(), ending) !=
             kExperimentEndings.end()) {
    inspect_experiment(line);
  } else {
    inspect_data(comm, line);
  }
}

}  // namespace

int run_inspect(Communicator& comm, const CommandLine& line) {
  agree(comm, [&] {
    if (comm.rank() != 0) return;
    const auto alone = connect_self();
    inspect(*alone, line);
  });
  return 0;
}

}  // namespace lockstep
