#include "lockstep/run/memory_checkpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <vector>

#include "lockstep/checkpoint/checkpoint_store.h"
#include "lockstep/checkpoint/memory_folder.h"
#include "lockstep/core/files.h"
#include "lockstep/run/run_files.h"
#include "lockstep/train/run_state.h"

namespace lockstep {

namespace fs = std::filesystem;

namespace {

std::string id_of(const fs::path& folder) {
  const fs::path file = folder / kMemoryIdFile;
  return fs::is_regular_file(fs::symlink_status(file)) ? read_file(file) : "";
}

std::string new_id() {
  std::random_device device;
  std::string id;
  for (int i = 0; i < 4; ++i) id += fmt::format("{:08x}", device());
  return id;
}

std::int64_t step_of(const CheckpointFiles& files) {
  return files.empty() ? -1 : read_run_state(files).loop.step;
}

bool is_first_of_host(Communicator& comm) { return comm.rank() == comm.sharing_ranks().front(); }

}  // namespace

CheckpointFiles newer_in_memory(Communicator& comm, const fs::path& run_dir,
                                const CheckpointFiles& on_disk) {
  std::string id;
  std::int64_t step = -1;
  agree(comm, [&] {
    if (comm.rank() != 0) return;
    id = id_of(run_dir);
    step = step_of(on_disk);
  });
  id = broadcast_text(comm, id, 0);
  step = broadcast_value(comm, step, 0);
  FoundCheckpoint found{-1, {}};
  agree(comm, [&] {
    const auto folder = find_memory_folder(run_dir);
    if (!is_first_of_host(comm) || !folder || id.empty() || id_of(*folder) != id) return;
    if (auto latest = CheckpointStore(*folder).find_latest()) found = std::move(*latest);
  });
  const std::vector<std::int64_t> steps = gather_values(comm, found.step);
  const auto newest = std::max_element(steps.begin(), steps.end());
  if (*newest <= step) return {};
  CheckpointFiles files = share_texts(comm, found.files, static_cast<int>(newest - steps.begin()));
  bool has_best = true;
  agree(comm, [&] {
    if (comm.rank() != 0) return;
    const LoopState loop = read_run_state(files).loop;
    has_best = loop.best_epoch < 0 || fs::exists(checkpoint_folder(run_dir, loop.best_step));
  });
  if (!broadcast_value(comm, has_best, 0)) files.clear();
  return files;
}

fs::path prepare_memory_folder(Communicator& comm, const CheckpointOptions& options,
                               const fs::path& run_dir, RunBegins begins) {
  const bool keeps = options.in_memory_every_steps > 0;
  std::string id;
  agree(comm, [&] {
    if (comm.rank() != 0) return;
    if (begins == RunBegins::kAnew) fs::remove(run_dir / kMemoryIdFile);
    id = id_of(run_dir);
    if (!keeps || !id.empty()) return;
    id = new_id();
    write_file_durably(run_dir / kMemoryIdFile, id);
  });
  id = broadcast_text(comm, id, 0);
  fs::path folder;
  agree(comm, [&] {
    if (!keeps || !is_first_of_host(comm)) return;
    folder = make_memory_folder(run_dir);
    if (id_of(folder) == id) return;
    remove_memory_folder(run_dir);
    folder = make_memory_folder(run_dir);
    write_file_durably(folder / kMemoryIdFile, id);
  });
  return folder;
}

}  // namespace lockstep
