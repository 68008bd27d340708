#include "app/run_folder.h"

#include <fmt/chrono.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "app/version.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/log.h"

namespace lockstep {

namespace {

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name")) continue;
    return line.substr(std::min(line.find(": ") + 2, line.size()));
  }
  return "unknown";
}

fs::path default_folder(const Experiment& experiment) {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return models_folder() / experiment.name /
         fmt::format("{:%Y%m%dT%H%M%SZ}-{}", fmt::gmtime(now),
                     digest_of(experiment).hex().substr(0, 8));
}

std::string environment_json(const Communicator& comm, const std::vector<std::string>& hosts,
                             int workers) {
  nlohmann::ordered_json json;
  json["lockstep"] = kVersion;
  json["torch"] = kTorchVersion;
  json["compiler"] = kCompiler;
  json["processor"] = processor_name();
  json["world_size"] = comm.world_size();
  json["threads_per_rank"] = workers;
  json["hosts_by_rank"] = hosts;
  return json.dump(2) + "\n";
}

}  // namespace

fs::path models_folder() {
  const char* root = std::getenv("LOCKSTEP_ROOT");
  return fs::path(root == nullptr ? "." : root) / "models";
}

std::filesystem::path make_run_folder(Communicator& comm, const Experiment& experiment,
                                      const std::string& wanted, int workers, RunLock& lock) {
  const std::vector<std::string> hosts = gather_texts(comm, host_name());
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
    write_file_atomically(folder / "environment.json", environment_json(comm, hosts, workers));
    name = folder.string();
  });
  fs::path folder = broadcast_text(comm, name, 0);
  log_to_file(folder / "logs" / fmt::format("rank-{}.log", comm.rank()));
  spdlog::info("rank {} of {} on {}, {} workers", comm.rank(), comm.world_size(), host_name(),
               workers);
  return folder;
}

}  // namespace lockstep
