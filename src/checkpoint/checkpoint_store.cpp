#include "lockstep/checkpoint/checkpoint_store.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/reason.h"

namespace lockstep {

namespace {

std::optional<std::int64_t> step_of(const std::string& name) {
  constexpr std::string_view kPrefix = kStepBeginning;
  if (!name.starts_with(kPrefix)) return std::nullopt;
  std::int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return step;
}

// None where there is no such folder.
std::vector<fs::directory_entry> entries_of(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::directory_entry> entries;
  for (const auto& entry : fs::directory_iterator(folder, error)) entries.push_back(entry);
  if (error && error != std::errc::no_such_file_or_directory) {
    fail_internal("{}: {}", folder.string(), error.message());
  }
  return entries;
}

void set_aside(const fs::path& folder, const std::string& reason) {
  fs::path bad = folder;
  bad += ".bad";
  std::error_code error;
  fs::remove_all(bad, error);
  fs::rename(folder, bad, error);
  spdlog::warn("checkpoint {} is not whole and was set aside: {}", folder.string(), reason);
}

}  // namespace

CheckpointStore::CheckpointStore(fs::path run_dir) : run_dir_(std::move(run_dir)) {}

std::vector<std::int64_t> CheckpointStore::steps() const {
  std::vector<std::int64_t> steps;
  for (const auto& entry : entries_of(run_dir_ / kCheckpointsFolder)) {
    const auto step = step_of(entry.path().filename().string());
    if (step && entry.is_directory() && !entry.is_symlink()) steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::optional<std::int64_t> CheckpointStore::best_step() const {
  std::error_code none;
  const fs::path target = fs::read_symlink(best_link(run_dir_), none);
  return step_of(target.filename().string());
}

std::optional<FoundCheckpoint> CheckpointStore::find_latest() const {
  for (const auto& entry : entries_of(run_dir_ / kCheckpointsFolder)) {
    std::error_code none;
    if (entry.path().filename().string().starts_with(kTemporaryBeginning)) {
      restore_replaced(entry.path());
      fs::remove_all(entry.path(), none);
    }
  }
  std::vector<std::int64_t> newest_first = steps();
  std::reverse(newest_first.begin(), newest_first.end());
  for (const std::int64_t step : newest_first) {
    const fs::path folder = checkpoint_folder(run_dir_, step);
    try {
      return FoundCheckpoint{step, read_checkpoint(folder)};
    } catch (const UnreadableFile&) {
      throw;
    } catch (const Error& error) {
      if (is_of_newer_format(folder)) throw;
      set_aside(folder, error.what());
    }
  }
  return std::nullopt;
}

void CheckpointStore::save(std::int64_t step, const CheckpointFiles& files, int keep_last) const {
  const fs::path folder = checkpoint_folder(run_dir_, step);
  write_checkpoint(run_dir_, step, files);
  if (read_checkpoint(folder) != files) {
    fail_internal("{}: what is read back is not what was written", folder.string());
  }
  const std::optional<std::int64_t> best = best_step();
  const std::vector<std::int64_t> all = steps();
  const auto keep = static_cast<std::size_t>(std::max(keep_last, 1));
  const auto saved =
      static_cast<std::size_t>(std::find(all.begin(), all.end(), step) - all.begin());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool is_old = i + keep <= saved && all[i] != best;
    if (is_old || i > saved) remove(all[i]);
  }
}

void CheckpointStore::remove_after(std::int64_t step) const {
  for (const std::int64_t each : steps()) {
    if (each > step) remove(each);
  }
  const auto best = best_step();
  std::error_code none;
  if (best && *best > step) fs::remove(best_link(run_dir_), none);
}

void CheckpointStore::remove(std::int64_t step) const {
  try {
    remove_checkpoint(checkpoint_folder(run_dir_, step));
  } catch (const fs::filesystem_error& error) {
    spdlog::warn("the checkpoint of step {} was not removed: {}", step, error.code().message());
  }
}

void CheckpointStore::set_best(std::int64_t step) const {
  if (best_step() == step || !fs::exists(checkpoint_folder(run_dir_, step))) return;
  const fs::path link = best_link(run_dir_);
  fs::path fresh = link;
  fresh += ".tmp";
  std::error_code error;
  fs::remove(fresh, error);
  fs::create_symlink(checkpoint_folder(run_dir_, step).filename(), fresh, error);
  if (!error) fs::rename(fresh, link, error);
  if (error) fail_internal("{}: {}", link.string(), reason_of(error.value(), link));
  sync_folder(link.parent_path());
}

}  // namespace lockstep
