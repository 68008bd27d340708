// lockstep inspect: what a training left.

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "app/commands.h"
#include "lockstep/checkpoint/checkpoint_store.h"
#include "lockstep/checkpoint/safetensors.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/train/run_state.h"

namespace lockstep {

namespace {

void print_tensors(const SafetensorsFile& file) {
  for (const TensorView& tensor : file.tensors()) {
    fmt::print("  {:<28} [{}]\n", tensor.name, fmt::join(tensor.shape, ", "));
  }
}

void inspect_checkpoint(const fs::path& folder) {
  const CheckpointFiles files = read_checkpoint(folder);
  const RunState state = read_run_state(files);
  fmt::print("{}: whole\n", folder.string());
  for (const auto& [name, content] : files) fmt::print("  {:<28} {} bytes\n", name, content.size());
  fmt::print(
      "  step {}, {} epochs and {} steps done, seed {}, saved by {} rank{}\n"
      "  weights xxh3:{}\n  data xxh3:{}\n",
      state.loop.step, state.loop.epoch, state.loop.epoch_step, state.seed, state.world_size,
      state.world_size == 1 ? "" : "s", state.weights_digest, state.data_digest);
}

// All are looked at; the first that is not whole becomes the error.
void inspect_run(const fs::path& run_dir) {
  const std::vector<std::int64_t> steps = CheckpointStore(run_dir).steps();
  if (steps.empty()) fail_usage("{}: no checkpoint there", run_dir.string());
  std::optional<Error> first;
  for (const std::int64_t step : steps) {
    const fs::path folder = checkpoint_folder(run_dir, step);
    try {
      inspect_checkpoint(folder);
    } catch (const Error& error) {
      fmt::print("{}: {}\n", folder.string(),
                 is_of_newer_format(folder) ? "of a newer format" : "not whole");
      if (!first) first = error;
    }
  }
  std::error_code none;
  const fs::path best = fs::read_symlink(best_link(run_dir), none);
  if (!best.empty()) fmt::print("best: {}\n", best.string());
  if (first) throw *first;
}

}  // namespace

int run_inspect(Communicator& comm, const CommandLine& line) {
  agree(comm, [&] {
    if (comm.rank() != 0) return;
    const fs::path path = line.checkpoint;
    if (fs::is_regular_file(path)) {
      const SafetensorsFile file(path);
      fmt::print("{}: whole\n", path.string());
      print_tensors(file);
      for (const auto& [key, value] : file.metadata()) fmt::print("{}:\n{}\n", key, value);
    } else if (fs::exists(path / "manifest.json")) {
      inspect_checkpoint(path);
    } else {
      inspect_run(path);
    }
  });
  return 0;
}

}  // namespace lockstep
