#include "lockstep/run/run_folder.h"

#include <fmt/chrono.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>

#include "lockstep/checkpoint/checkpoint_folder.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/log.h"
#include "lockstep/core/reason.h"
#include "lockstep/core/text.h"
#include "lockstep/run/run_files.h"
#include "lockstep/run/version.h"
#include "run/json_values.h"

namespace lockstep {

namespace {

fs::path default_folder(const Experiment& experiment) {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return models_folder() / experiment.name /
         fmt::format("{:%Y%m%dT%H%M%SZ}-{}", fmt::gmtime(now),
                     digest_of(experiment).hex().substr(0, 8));
}

// Whoever makes the last folder has it: jobs may start in one second.
fs::path make_default_folder(const Experiment& experiment) {
  const fs::path first = default_folder(experiment);
  fs::create_directories(first.parent_path());
  fs::path folder = first;
  for (int again = 2; ::mkdir(folder.c_str(), 0777) != 0; ++again) {
    const int error = errno;
    if (error != EEXIST)
      fail_usage("{}: cannot be made: {}", folder.string(), reason_of(error, folder));
    folder = fmt::format("{}-{}", first.string(), again);
  }
  return folder;
}

Json json_of(const Place& place) {
  return {{"host", place.host},
          {"rank_on_node", place.rank_on_node},
          {"cores", core_list(place.cores)},
          {"processor", place.processor}};
}

// What decides the bits of the weights, or where they were computed.
constexpr std::array kOfAPart = {"build", "processor_kind", "device", "world_size"};

// The parts of the run before this one, of which `last` is that of the last.
Json earlier_parts(const Json& last, const Json& now) {
  auto parts = Json::array();
  if (last.contains("earlier") && last["earlier"].is_array()) parts = last["earlier"];
  Json part;
  bool differs = false;
  for (const char* key : kOfAPart) {
    if (!last.contains(key)) continue;
    part[key] = last[key];
    differs = differs || last[key] != now[key];
  }
  if (differs) parts.push_back(part);
  return parts;
}

std::string environment_json(const std::vector<Place>& places, const std::string& device,
                             int workers, const fs::path& run_dir) {
  Json json;
  json["lockstep"] = kVersion;
  json["torch"] = kTorchVersion;
  json["compiler"] = kCompiler;
  json["build"] = "xxh3:" + places.front().build;
  json["processor"] = places.front().processor;
  json["processor_kind"] = places.front().kind;
  json["device"] = device;
  json["world_size"] = places.size();
  json["threads_per_rank"] = workers;
  for (const Place& place : places) json["hosts_by_rank"].push_back(place.host);
  for (const Place& place : places) json["places"].push_back(json_of(place));
  const auto parts = earlier_parts(read_object(run_dir / kEnvironmentFile), json);
  if (!parts.empty()) json["earlier"] = parts;
  return json.dump(2) + "\n";
}

}  // namespace

void warn_of_changes(const fs::path& run_dir, const Place& place, const std::string& device) {
  const Json before = read_object(run_dir / kEnvironmentFile);
  const std::map<std::string, std::pair<const char*, std::string>> now = {
      {"build", {"build", "xxh3:" + place.build}},
      {"processor_kind", {"kind of processor", place.kind}},
      {"device", {"device", device}}};
  for (const auto& [key, what] : now) {
    const auto found = before.find(key);
    if (found == before.end() || !found->is_string() || *found == what.second) continue;
    spdlog::warn(
        "the run was begun with another {} ({}) and goes on with {}: the weights will "
        "differ in rounding",
        what.first, found->get<std::string>(), what.second);
  }
}

fs::path models_folder() {
  if (const char* models = std::getenv("LOCKSTEP_MODELS"); models != nullptr) return models;
  const char* root = std::getenv("LOCKSTEP_ROOT");
  return fs::path(root == nullptr ? "." : root) / "models";
}

std::filesystem::path make_run_folder(Communicator& comm, const Experiment& experiment,
                                      const std::string& wanted, const std::string& device,
                                      int workers, const std::vector<Place>& places,
                                      RunLock& lock) {
  std::string name = wanted;
  agree(comm, [&] {
    if (comm.rank() != 0) return;
    const fs::path folder = wanted.empty() ? make_default_folder(experiment) : fs::path(wanted);
    lock.take(folder);
    fs::create_directories(folder / kLogsFolder);
    fs::create_directories(folder / kCheckpointsFolder);
    write_file_atomically(folder / kExperimentFile, to_text(experiment));
    write_file_atomically(folder / kEnvironmentFile,
                          environment_json(places, device, workers, folder));
    name = folder.string();
  });
  fs::path folder = broadcast_text(comm, name, 0);
  log_to_file(folder / kLogsFolder / fmt::format("{}{}.log", kRankLogBeginning, comm.rank()));
  const Place& mine = places[static_cast<std::size_t>(comm.rank())];
  spdlog::info("rank {} of {} on {}, {}, {}, cores {}", comm.rank(), comm.world_size(), mine.host,
               device, count_of(workers, "worker"), core_list(mine.cores));
  return folder;
}

}  // namespace lockstep
