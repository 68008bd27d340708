#include "lockstep/run/resume.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <string_view>
#include <vector>

#include "lockstep/checkpoint/checkpoint_store.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/run/memory_checkpoints.h"
#include "lockstep/run/run_files.h"
#include "lockstep/train/optimizer.h"
#include "lockstep/train/run_state.h"

namespace lockstep {

namespace {

// Fields that may change between the parts of a run: they do not enter a step, or
// only say how far the run goes.
// The digest of the rows guards how they are read.
constexpr std::array kMayChange = std::to_array<std::string_view>(
    {"name", "device", "training.epochs", "training.log_every_steps", "training.digest_every_steps",
     "training.bucket_bytes", "checkpoint", "data.test", "data.train", "data.csv", "data.arrays",
     "data.images", "data.labels", "data.relabel", "data.validation.source", "data.cache"});

bool may_change(const std::string& path) {
  return std::any_of(kMayChange.begin(), kMayChange.end(), [&](std::string_view free) {
    return path == free || (path.starts_with(free) && path[free.size()] == '.');
  });
}

void check_experiment(const Experiment& experiment, const fs::path& run_dir) {
  const fs::path file = run_dir / kExperimentFile;
  Experiment before = load_kept_experiment(file.string());
  Experiment now = experiment;
  // Labels that were found name the classes in writing, those that are given do without.
  for (DataOptions* data : {&before.data, &now.data}) {
    if (data->class_names.empty()) data->class_names = data->labels;
  }
  // Of a run from before ranges and names of classes were kept.
  if (!before.data.range.given()) before.data.range = now.data.range;
  if (before.data.class_names.empty()) before.data.class_names = now.data.class_names;
  if (!depends_on_decays(before.train.optimizer)) before.train.decays = now.train.decays;
  std::vector<std::string> fields = differing_fields(before, now);
  fields.erase(std::remove_if(fields.begin(), fields.end(), may_change), fields.end());
  if (fields.empty()) return;
  if (fields == std::vector<std::string>{"optimizer.decays"}) {
    const bool all = before.train.decays == Decays::kAll;
    fail_usage("{0} was begun with {1}; to go on, start it with --set optimizer.decays={2}",
               run_dir.string(),
               all ? "weight decay of all parameters" : "weight decay of weights alone",
               all ? "ALL" : "WEIGHTS");
  }
  fail_usage(
      "{} cannot be resumed with another experiment: {} differ{} from {}; start a new run "
      "(another --run-dir, or --resume never)",
      run_dir.string(), fmt::join(fields, ", "), fields.size() == 1 ? "s" : "", file.string());
}

// What the launcher puts into a run folder before the training begins.
bool is_of_launcher(const std::string& name) {
  return name == kOutcomeFile || name == kOutputFile || name == kCancelledFile ||
         name == kWatchedFile || name.starts_with(kSlurmBeginning);
}

// Removes those entries whose names begin so, and the folder where nothing else is in it.
void remove_entries(const fs::path& folder, const std::vector<std::string_view>& beginnings) {
  std::error_code none;
  std::vector<fs::path> ours;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const std::string name = entry.path().filename().string();
    const auto begins = [&](std::string_view beginning) { return name.starts_with(beginning); };
    if (std::any_of(beginnings.begin(), beginnings.end(), begins)) ours.push_back(entry.path());
  }
  for (const fs::path& each : ours) fs::remove_all(each);
  fs::remove(folder, none);
}

// What an earlier run left in its folder; others' files stay.
void remove_run(const fs::path& run_dir) {
  remove_entries(run_dir / kCheckpointsFolder, {kStepBeginning, kTemporaryBeginning, kBestName});
  remove_entries(run_dir / kLogsFolder, {kRankLogBeginning});
  remove_entries(run_dir / kTensorboardFolder, {kEventsBeginning});
  for (const char* name : kFilesOfARun) fs::remove(run_dir / name);
}

[[noreturn]] void fail_without_checkpoint(const std::string& resume) {
  fail_usage(
      "--resume {}: there is no whole checkpoint; give a run folder or a checkpoint "
      "folder, auto or never",
      resume);
}

StartPoint find_on_root(const Experiment& experiment, const std::string& run_dir,
                        const std::string& resume, RunLock& lock) {
  StartPoint start{run_dir, {}};
  const bool by_path = resume != "auto" && resume != "never";
  const bool at_checkpoint = by_path && is_checkpoint(resume);
  if (by_path) {
    if (at_checkpoint && fs::canonical(resume).parent_path().filename() != kCheckpointsFolder) {
      fail_usage(
          "--resume {}: a checkpoint goes on in its run folder; it must lie in <run>/checkpoints/",
          resume);
    }
    start.run_dir =
        at_checkpoint ? fs::canonical(resume).parent_path().parent_path() : fs::path(resume);
    if (!run_dir.empty() && fs::weakly_canonical(run_dir) != fs::weakly_canonical(start.run_dir)) {
      fail_usage("--resume {} goes on in {}, but --run-dir is {}; give one of them", resume,
                 start.run_dir.string(), run_dir);
    }
  }
  if (start.run_dir.empty()) return start;
  if (by_path && !fs::exists(start.run_dir / kCheckpointsFolder)) fail_without_checkpoint(resume);
  check_run_folder(start.run_dir);
  lock.take(start.run_dir);
  remove_temporary_files(start.run_dir);
  if (resume == "never") {
    remove_run(start.run_dir);
    return start;
  }
  if (at_checkpoint) {
    start.files = read_checkpoint(fs::canonical(resume));
  } else if (const auto latest = CheckpointStore(start.run_dir).find_latest()) {
    start.files = latest->files;
  }
  if (start.files.empty()) return start;
  check_experiment(experiment, start.run_dir);
  // The run may have been killed between a best checkpoint and its link.
  const LoopState loop = read_run_state(start.files).loop;
  if (loop.best_epoch >= 0) CheckpointStore(start.run_dir).set_best(loop.best_step);
  return start;
}

volatile std::sig_atomic_t signal_flag = 0;

extern "C" void note_signal(int number) {
  signal_flag = 1;
  if (number == SIGINT) std::signal(number, SIG_DFL);
}

}  // namespace

void check_run_folder(const fs::path& folder) {
  std::error_code none;
  if (fs::exists(folder, none) && !fs::is_directory(folder, none)) {
    fail_usage("{}: is no folder; give another --run-dir", folder.string());
  }
  for (const char* mark : {kLockFile, kExperimentFile}) {
    if (fs::exists(folder / mark, none)) return;
  }
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const std::string name = entry.path().filename().string();
    if (is_of_launcher(name)) continue;
    fail_usage("{}: holds \"{}\" but no run (no {}); give a new or an empty folder as --run-dir",
               folder.string(), name, kExperimentFile);
  }
}

StartPoint find_start(Communicator& comm, const Experiment& experiment, const std::string& run_dir,
                      const std::string& resume, RunLock& lock) {
  StartPoint start;
  bool wants_latest = false;
  comm.begin_long_work("looking for a checkpoint", 0);
  agree(comm, [&] {
    if (comm.rank() != 0) return;
    start = find_on_root(experiment, run_dir, resume, lock);
    wants_latest = !start.run_dir.empty() && resume != "never" && !is_checkpoint(resume);
  });
  start.run_dir = broadcast_text(comm, start.run_dir.string(), 0);
  CheckpointFiles in_memory;
  if (broadcast_value(comm, wants_latest, 0) && experiment.checkpoint.in_memory_every_steps > 0) {
    in_memory = newer_in_memory(comm, start.run_dir, start.files);
  }
  agree(comm, [&] {
    if (comm.rank() != 0) return;
    if (!in_memory.empty()) return check_experiment(experiment, start.run_dir);
    const bool by_path = resume != "auto" && resume != "never";
    if (by_path && start.files.empty()) fail_without_checkpoint(resume);
  });
  start.files = in_memory.empty() ? share_texts(comm, start.files) : std::move(in_memory);
  return start;
}

void watch_signals() {
  for (const int number : {SIGUSR1, SIGTERM, SIGINT}) std::signal(number, note_signal);
  struct ::sigaction of_hangup {};
  ::sigaction(SIGHUP, nullptr, &of_hangup);
  if (of_hangup.sa_handler != SIG_IGN) std::signal(SIGHUP, note_signal);  // as under nohup
}

bool signal_came() { return signal_flag != 0; }

}  // namespace lockstep
