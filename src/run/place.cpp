#include "lockstep/run/place.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "lockstep/core/digest.h"
#include "lockstep/core/error.h"
#include "lockstep/core/host.h"
#include "lockstep/model/processor_kind.h"

namespace lockstep {

namespace {

constexpr std::size_t kMostNamed = 8;

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name")) continue;
    return line.substr(std::min(line.find(": ") + 2, line.size()));
  }
  return "unknown";
}

std::vector<int> numbers_of(const cpu_set_t& set) {
  std::vector<int> numbers;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &set)) numbers.push_back(i);
  }
  return numbers;
}

std::vector<int> own_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  ::sched_getaffinity(0, sizeof(cores), &cores);
  return numbers_of(cores);
}

// Those that whoever started this process may use, as mpirun binds ranks to a part of its own.
int cores_of_node() {
  cpu_set_t parents;
  CPU_ZERO(&parents);
  const bool known = ::sched_getaffinity(::getppid(), sizeof(parents), &parents) == 0;
  return std::max(known ? CPU_COUNT(&parents) : 0, static_cast<int>(own_cores().size()));
}

std::string digest_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  DigestStream stream;
  std::vector<char> block(std::size_t{1} << 20);
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())), file.gcount() > 0) {
    stream.add(std::as_bytes(std::span(block.data(), static_cast<std::size_t>(file.gcount()))));
  }
  if (!file.eof()) {
    fail_usage("{}: cannot be read on {}; every host needs it", path, host_name());
  }
  return stream.digest().hex();
}

// Of a folder: the names and sizes of its files, since to read all of them takes too long.
std::string digest_of_data(const std::string& path) {
  namespace fs = std::filesystem;
  if (!fs::is_directory(path)) return digest_of_file(path);
  std::set<std::string> lines;
  try {
    const auto follow = fs::directory_options::follow_directory_symlink;
    for (const auto& entry : fs::recursive_directory_iterator(path, follow)) {
      if (entry.is_directory()) continue;
      lines.insert(fmt::format("{}\n{}\n", entry.path().lexically_relative(path).string(),
                               entry.file_size()));
    }
  } catch (const fs::filesystem_error& error) {
    fail_usage("{}: cannot be listed on {}: {}", path, host_name(), error.code().message());
  }
  DigestStream stream;
  for (const std::string& line : lines) stream.add(std::as_bytes(std::span(line)));
  return stream.digest().hex();
}

std::string to_text(const Place& place) {
  return nlohmann::json{place.host,  place.rank_on_node, place.cores, place.cores_of_node,
                        place.build, place.processor,    place.kind}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Place from_text(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  return {json[0].get<std::string>(), json[1].get<int>(),         json[2].get<std::vector<int>>(),
          json[3].get<int>(),         json[4].get<std::string>(), json[5].get<std::string>(),
          json[6].get<std::string>()};
}

}  // namespace

int worker_count(const Communicator& comm, int threads) {
  if (threads > 0) return threads;
  return std::max(static_cast<int>(own_cores().size()) / comm.node_size(), 1);
}

std::string core_list(const std::vector<int>& cores) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < cores.size();) {
    std::size_t last = i;
    while (last + 1 < cores.size() && cores[last + 1] == cores[last] + 1) ++last;
    parts.push_back(last == i ? fmt::format("{}", cores[i])
                              : fmt::format("{}-{}", cores[i], cores[last]));
    i = last + 1;
  }
  return fmt::format("{}", fmt::join(parts, ","));
}

std::string crowding_of(const std::vector<Place>& places) {
  std::map<std::string, std::vector<int>> ranks_by_host;
  for (std::size_t rank = 0; rank < places.size(); ++rank) {
    ranks_by_host[places[rank].host].push_back(static_cast<int>(rank));
  }
  std::string text;
  for (const auto& [host, ranks] : ranks_by_host) {
    std::set<int> cores;
    for (const int rank : ranks) {
      const Place& place = places[static_cast<std::size_t>(rank)];
      cores.insert(place.cores.begin(), place.cores.end());
    }
    const int all = places[static_cast<std::size_t>(ranks.front())].cores_of_node;
    if (cores.size() >= ranks.size() || static_cast<int>(cores.size()) >= all) continue;
    text += fmt::format("{}{} ranks on {} ({}) are bound to core{} {} of its {}",
                        text.empty() ? "" : "; ", ranks.size(), host, core_list(ranks),
                        cores.size() == 1 ? "" : "s",
                        core_list(std::vector<int>(cores.begin(), cores.end())), all);
  }
  if (text.empty()) return text;
  return text +
         "; each rank needs cores of its own: mpirun --map-by slot:PE=THREADS --bind-to core, or "
         "--bind-to none";
}

std::vector<Place> gather_places(Communicator& comm) {
  const Place mine{host_name(),
                   comm.node_place(),
                   own_cores(),
                   cores_of_node(),
                   digest_of_file("/proc/self/exe"),
                   processor_name(),
                   processor_kind()};
  check_same(comm, "build", "xxh3:" + mine.build, "copy one build to all hosts");
  check_same(
      comm, "kind of processor", mine.kind,
      "equal bits need hosts of one kind; or limit all to what they share, by LOCKSTEP_MAX_ISA, "
      "ATEN_CPU_CAPABILITY and ONEDNN_MAX_CPU_ISA");
  std::vector<Place> places;
  for (const std::string& text : gather_texts(comm, to_text(mine))) {
    places.push_back(from_text(text));
  }
  if (comm.rank() == 0) {
    const std::string crowding = crowding_of(places);
    if (!crowding.empty()) spdlog::warn("{}", crowding);
  }
  return places;
}

void check_same(Communicator& comm, const std::string& what, const std::string& value,
                const std::string& fix) {
  if (comm.world_size() == 1) return;
  const std::vector<std::string> values = gather_texts(comm, value);
  if (std::all_of(values.begin(), values.end(), [&](const auto& v) { return v == values[0]; })) {
    return;
  }
  const std::vector<std::string> hosts = gather_texts(comm, host_name());
  std::vector<std::string> others;
  for (std::size_t rank = 1; rank < values.size(); ++rank) {
    if (values[rank] == values[0]) continue;
    others.push_back(fmt::format("rank {} on {} ({})", rank, hosts[rank], values[rank]));
  }
  if (others.size() > kMostNamed) {
    const std::size_t more = others.size() - kMostNamed;
    others.resize(kMostNamed);
    others.push_back(fmt::format("{} more", more));
  }
  throw Error(ExitCode::kUsage,
              fmt::format("{} {} another {} than rank 0 on {} ({}); {}", fmt::join(others, ", "),
                          others.size() == 1 ? "has" : "have", what, hosts[0], values[0], fix),
              Reach::kAgreed);
}

void check_same_source(Communicator& comm, const SourceOptions& source) {
  if (comm.node_size() == comm.world_size()) return;
  for (const std::string& path : {source.path, source.labels}) {
    if (path.empty()) continue;
    std::string digest;
    comm.begin_long_work("comparing the hosts' data", kEachRank);
    agree(comm, [&] {
      if (comm.node_place() == 0) digest = digest_of_data(path);
    });
    // The others of a node see the same file.
    const std::vector<std::string> digests = gather_texts(comm, digest);
    check_same(comm, path, "xxh3:" + (digest.empty() ? digests[0] : digest),
               "copy one file to all hosts");
  }
}

}  // namespace lockstep
