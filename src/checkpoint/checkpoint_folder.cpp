#include "lockstep/checkpoint/checkpoint_folder.h"

#include <fcntl.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "lockstep/core/digest.h"
#include "lockstep/core/error.h"
#include "lockstep/core/fault_point.h"
#include "lockstep/core/files.h"
#include "lockstep/core/reason.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

constexpr std::uint64_t kMaxManifestBytes = 1 << 20;

struct Entry {
  std::uint64_t bytes;
  std::string digest;
};

std::string manifest_of(const CheckpointFiles& files) {
  nlohmann::ordered_json json;
  json["format"] = kCheckpointFormat;
  json["files"] = nlohmann::ordered_json::object();
  for (const auto& [name, content] : files) {
    json["files"][name] = {{"bytes", content.size()}, {"xxh3", digest_of(content).hex()}};
  }
  const std::string text = json.dump(2);
  json["xxh3"] = digest_of(text).hex();  // of the manifest without this line
  return json.dump(2) + "\n";
}

// The JSON library would cut a fraction off and wrap a number that does not fit.
std::uint64_t natural(const nlohmann::ordered_json& json, const fs::path& manifest) {
  if (json.is_number_unsigned()) return json.get<std::uint64_t>();
  fail_usage("{}: {} where a whole number of at least 0 is expected", manifest.string(),
             json.dump());
}

// The manifest of a folder, of any format: those of later formats keep the digest.
nlohmann::ordered_json whole_manifest(const fs::path& folder) {
  const fs::path path = folder / kManifestFile;
  if (file_bytes(path) > kMaxManifestBytes) fail_usage("{}: too large", path.string());
  try {
    const std::string text = read_file(path);
    auto json = nlohmann::ordered_json::parse(text);
    if (text != json.dump(2) + "\n") fail_usage("{}: is not as lockstep writes it", path.string());
    const auto digest = json.at("xxh3").get<std::string>();
    json.erase("xxh3");
    if (digest != digest_of(json.dump(2)).hex()) {
      fail_usage("{}: its digest is not that of its text", path.string());
    }
    return json;
  } catch (const nlohmann::json::exception&) {
    fail_usage("{}: is not the manifest of a checkpoint", path.string());
  }
}

std::map<std::string, Entry> read_manifest(const fs::path& folder) {
  const fs::path path = folder / kManifestFile;
  try {
    const auto json = whole_manifest(folder);
    const std::uint64_t format = natural(json.at("format"), path);
    if (format > kCheckpointFormat) {
      fail_usage("{}: written by a newer Lockstep, format {}; this one reads up to {}",
                 folder.string(), format, kCheckpointFormat);
    }
    if (format < 1) fail_usage("{}: format {}; expected 1 or more", path.string(), format);
    std::map<std::string, Entry> entries;
    if (!json.at("files").is_object()) fail_usage("{}: its files have no names", path.string());
    for (const auto& [name, entry] : json.at("files").items()) {
      if (name.empty() || name.find('/') != std::string::npos) {
        fail_usage("{}: bad file name \"{}\"", path.string(), name);
      }
      entries[name] = {natural(entry.at("bytes"), path), entry.at("xxh3").get<std::string>()};
    }
    return entries;
  } catch (const nlohmann::json::exception&) {
    fail_usage("{}: is not the manifest of a checkpoint", path.string());
  }
}

// A file of a checkpoint, as its manifest has it.
std::string read_whole(const fs::path& path, const Entry& entry) {
  std::string content = read_file(path);
  if (content.size() != entry.bytes || digest_of(content).hex() != entry.digest) {
    fail_usage("{}: damaged: its digest is not the manifest's", path.string());
  }
  return content;
}

fs::path replaced_name(const fs::path& folder) {
  return folder.parent_path() / (".tmp-replaced-" + folder.filename().string());
}

// The folder that is replaced may be the run's only checkpoint, so the two change
// places in one operation where the file system can do that.
void put_in_place(const fs::path& temporary, const fs::path& folder) {
  const int swapped =
      ::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, folder.c_str(), RENAME_EXCHANGE);
  if (swapped == 0) return;
  // A kill between the two renames leaves the old one under a name that a later start
  // knows; see restore_replaced().
  const fs::path old = replaced_name(folder);
  fs::remove_all(old);
  if (fs::exists(folder)) fs::rename(folder, old);
  fs::rename(temporary, folder);
  sync_folder(folder.parent_path());
  fs::remove_all(old);
}

}  // namespace

fs::path checkpoint_folder(const fs::path& run_dir, std::int64_t step) {
  return run_dir / kCheckpointsFolder / fmt::format("{}{:08}", kStepBeginning, step);
}

bool is_of_newer_format(const fs::path& folder) {
  try {
    return natural(whole_manifest(folder).at("format"), folder / kManifestFile) > kCheckpointFormat;
  } catch (const Error&) {
    return false;
  } catch (const nlohmann::json::exception&) {
    return false;  // a format that is no number
  }
}

fs::path best_link(const fs::path& run_dir) { return run_dir / kCheckpointsFolder / kBestName; }

bool is_checkpoint(const fs::path& folder) { return fs::exists(folder / kManifestFile); }

void write_checkpoint(const fs::path& run_dir, std::int64_t step, const CheckpointFiles& files) {
  const fs::path folder = checkpoint_folder(run_dir, step);
  const fs::path temporary =
      folder.parent_path() / (kTemporaryBeginning + folder.filename().string());
  std::error_code error;
  fs::remove_all(temporary, error);
  try {
    fs::create_directories(temporary);
    for (const auto& [name, content] : files) write_file_durably(temporary / name, content);
    write_file_durably(temporary / kManifestFile, manifest_of(files));
    sync_folder(temporary);
    fault_point("save", step);
    put_in_place(temporary, folder);
    sync_folder(folder.parent_path());
    fs::remove_all(temporary, error);  // what was replaced
  } catch (const fs::filesystem_error& failure) {
    fs::remove_all(temporary, error);
    fail_internal("{}: {}", folder.string(), reason_of(failure.code().value(), folder));
  } catch (const Error&) {
    fs::remove_all(temporary, error);
    throw;
  }
}

void remove_checkpoint(const fs::path& folder) {
  const fs::path old = folder.parent_path() / (".tmp-old-" + folder.filename().string());
  fs::remove_all(old);
  fs::rename(folder, old);
  fs::remove_all(old);
}

void restore_replaced(const fs::path& old) {
  const std::string name = old.filename().string();
  const std::string prefix = replaced_name("").filename().string();
  if (!name.starts_with(prefix)) return;
  const fs::path folder = old.parent_path() / name.substr(prefix.size());
  std::error_code none;
  if (!fs::exists(folder, none)) fs::rename(old, folder, none);
}

CheckpointFiles read_checkpoint(const fs::path& folder) {
  CheckpointFiles files;
  const std::map<std::string, Entry> entries = read_manifest(folder);
  for (const auto& [name, entry] : entries) {
    const std::uint64_t bytes = file_bytes(folder / name);
    if (bytes != entry.bytes) {
      fail_usage("{}: {}, but the manifest says {}", (folder / name).string(),
                 count_of(bytes, "byte"), entry.bytes);
    }
  }
  for (const auto& [name, entry] : entries) files[name] = read_whole(folder / name, entry);
  return files;
}

std::string read_checkpoint_file(const fs::path& path) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (!fs::is_regular_file(folder / kManifestFile)) return read_file(path);
  const std::map<std::string, Entry> entries = read_manifest(folder);
  const auto entry = entries.find(path.filename().string());
  return entry == entries.end() ? read_file(path) : read_whole(path, entry->second);
}

}  // namespace lockstep
