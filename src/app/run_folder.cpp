#include "app/run_folder.h"

#include <fmt/chrono.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "app/version.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/log.h"

namespace lockstep {

namespace {

fs::path default_folder(const Experiment& experiment) {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return models_folder() / experiment.name /
         fmt::format("{:%Y%m%dT%H%M%SZ}-{}", fmt::gmtime(now),
                     digest_of(experiment).hex().substr(0, 8));
}

nlohmann::ordered_json json_of(const Place& place) {
  return {{"host", place.host},
          {"rank_on_node", place.rank_on_node},
          {"cores", core_list(place.cores)},
          {"processor", place.processor}};
}

std::string environment_json(const std::vector<Place>& places, const std::string& device,
                             int workers) {
  nlohmann::ordered_json json;
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
  return json.dump(2) + "\n";
}

}  // namespace

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
    fs::path folder = wanted.empty() ? default_folder(experiment) : fs::path(wanted);
    for (int again = 2; wanted.empty() && fs::exists(folder); ++again) {
      folder = fmt::format("{}-{}", default_folder(experiment).string(), again);
    }
    lock.take(folder);
    fs::create_directories(folder / "logs");
    fs::create_directories(folder / "checkpoints");
    write_file_atomically(folder / "experiment.textproto", to_text(experiment));
    write_file_atomically(folder / "environment.json", environment_json(places, device, workers));
    name = folder.string();
  });
  fs::path folder = broadcast_text(comm, name, 0);
  log_to_file(folder / "logs" / fmt::format("rank-{}.log", comm.rank()));
  const Place& mine = places[static_cast<std::size_t>(comm.rank())];
  spdlog::info("rank {} of {} on {}, {}, {} workers, cores {}", comm.rank(), comm.world_size(),
               mine.host, device, workers, core_list(mine.cores));
  return folder;
}

}  // namespace lockstep
