// A checkpoint on disk: a folder of files and a manifest of their sizes and
// XXH3-128 digests. It is written under a temporary name and renamed when all of
// it is durable, so a folder with its final name is whole unless the disk fails;
// the manifest tells when it did.
//
// Layout: checkpoints/step-00000123/{weights.safetensors, optimizer.safetensors,
// state.json, manifest.json}; checkpoints/best links to one of them.
//
// Local; one writer a run folder. Errors: Error 1 for a failed write, 2 for a
// folder that is not whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace lockstep {

inline constexpr int kCheckpointFormat = 1;

// Names in a run folder, and in its folder of checkpoints.
inline constexpr const char* kCheckpointsFolder = "checkpoints";
inline constexpr const char* kStepBeginning = "step-";
inline constexpr const char* kTemporaryBeginning = ".tmp-";
inline constexpr const char* kBestName = "best";
inline constexpr const char* kManifestFile = "manifest.json";

// Contents by file name.
using CheckpointFiles = std::map<std::string, std::string>;

// checkpoints/step-00000123 in a run folder, and the link to the best of them.
std::filesystem::path checkpoint_folder(const std::filesystem::path& run_dir, std::int64_t step);
std::filesystem::path best_link(const std::filesystem::path& run_dir);

// Whether `folder` is a checkpoint, whole or not.
bool is_checkpoint(const std::filesystem::path& folder);

// Writes `files` and their manifest as the checkpoint of a step, in place of one that is
// there: temporary folder, files synced, manifest synced, rename, parent synced.
void write_checkpoint(const std::filesystem::path& run_dir, std::int64_t step,
                      const CheckpointFiles& files);

// Removes a checkpoint; what a kill leaves of it has a temporary name. Throws
// std::filesystem::filesystem_error.
void remove_checkpoint(const std::filesystem::path& folder);

// Gives a checkpoint its name back that write_checkpoint() was about to replace when its
// process was killed; nothing for other paths, and where the new one is in place.
void restore_replaced(const std::filesystem::path& old);

// All files of a checkpoint. Sizes are checked before anything is read, digests
// before anything is returned.
CheckpointFiles read_checkpoint(const std::filesystem::path& folder);

// A file that may be of a checkpoint: where it is, size and digest are checked.
std::string read_checkpoint_file(const std::filesystem::path& path);

// Whether the folder's manifest is whole and of a later format than kCheckpointFormat:
// such a checkpoint is not damaged, but cannot be read here.
bool is_of_newer_format(const std::filesystem::path& folder);

}  // namespace lockstep
