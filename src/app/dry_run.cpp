#include "app/dry_run.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/training_needs.h"
#include "lockstep/core/error.h"
#include "lockstep/core/free_memory.h"
#include "lockstep/core/host.h"
#include "lockstep/core/share.h"
#include "lockstep/core/text.h"
#include "lockstep/core/workers.h"
#include "lockstep/data/survey.h"
#include "lockstep/gpu/row_residence.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/parallel/lane_sum.h"
#include "lockstep/parallel/step_tail.h"
#include "lockstep/report/model_table.h"
#include "lockstep/run/resume.h"
#include "lockstep/run/run_folder.h"

namespace lockstep {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostRanksShown = 16;

std::string size_text(std::int64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (value < 1e6) return fmt::format("{:.0f} kB", value / 1e3);
  return value < 1e10 ? fmt::format("{:.0f} MB", value / 1e6)
                      : fmt::format("{:.1f} GB", value / 1e9);
}

// The number behind `key` in a file of lines "KEY: NUMBER kB", in bytes; 0 without one.
std::int64_t kilobytes_entry(const char* file, std::string_view key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    return std::strtoll(line.c_str() + key.size(), nullptr, 10) * 1024;
  }
  return 0;
}

// What this process holds once a lane has passed through the network: by then the
// libraries have loaded what they need.
std::int64_t program_bytes(const PreparedExperiment& prepared, int threads) {
  Workers workers(threads, prepare_worker_thread);
  const Network& network = *prepared.network;
  const Precision precision = prepared.experiment.parallel.precision;
  const auto pass = [&] {
    const Weights weights(network.initial_weights(prepared.experiment.seed), precision);
    Batch batch;
    batch.size = 1;
    batch.images.resize(static_cast<std::size_t>(network.input().pixels()));
    batch.labels = {0};
    batch.rows = {0};
    std::vector<float> gradients(static_cast<std::size_t>(network.trainable_size()));
    std::vector<float> statistics(static_cast<std::size_t>(network.statistics_size()));
    LaneExecutor(network, precision).train(weights, batch, {}, gradients, statistics);
  };
  workers.run([&](int worker) {
    if (worker == 0) pass();
  });
  ::malloc_trim(0);
  return kilobytes_entry("/proc/self/status", "VmRSS:");
}

// The memory of this machine, or of the container where that has less, in bytes.
std::int64_t memory_here() {
  std::int64_t bytes = kilobytes_entry("/proc/meminfo", "MemTotal:");
  std::int64_t limit = 0;
  if (std::ifstream("/sys/fs/cgroup/memory.max") >> limit) bytes = std::min(bytes, limit);
  struct ::rlimit own {};
  if (::getrlimit(RLIMIT_AS, &own) == 0 && own.rlim_cur != RLIM_INFINITY) {
    bytes = std::min(bytes, static_cast<std::int64_t>(own.rlim_cur));
  }
  return bytes;
}

// What the ranks of a host need together, and what it has.
struct HostMemory {
  std::int64_t needed = 0;
  std::int64_t free = 0;
  std::int64_t total = 0;
};

struct RankPlan {
  MemoryNeed need;
  std::int64_t free = 0;  // of its host
  std::int64_t total = 0;
  std::int64_t gpu_rows = 0;  // bytes, of its lanes
  RowResidence on_gpu = RowResidence::kResident;
};

std::map<std::string, HostMemory> by_host(const std::vector<std::string>& hosts,
                                          const std::vector<RankPlan>& ranks) {
  std::map<std::string, HostMemory> result;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    HostMemory& host = result[hosts[rank]];
    host.needed += ranks[rank].need.peak();
    host.free = ranks[rank].free;
    host.total = ranks[rank].total;
  }
  return result;
}

void check_total(const std::string& host, std::int64_t needed, std::int64_t total) {
  if (needed <= total) return;
  fail_usage(
      "memory: the ranks on {} need about {}, but it has {}; expected fewer ranks there, a "
      "smaller model, fewer classes or a smaller training.global_batch",
      host, size_text(needed), size_text(total));
}

void plan_memory(const std::string& host, const HostMemory& memory) {
  fmt::print("memory    {} of {} free on {}\n", size_text(memory.needed), size_text(memory.free),
             host);
  check_total(host, memory.needed, memory.total);
  if (memory.needed > memory.free) fmt::print("warning: that is more than is free there now\n");
}

// The nearest folder above the run folder, or itself, that is there already.
fs::path disk_of(const CommandLine& line) {
  fs::path folder = line.run_dir.empty() ? models_folder() : fs::path(line.run_dir);
  folder = fs::absolute(folder).lexically_normal();
  while (!fs::exists(folder) && folder.has_relative_path()) folder = folder.parent_path();
  return folder;
}

void plan_disk(const CommandLine& line, const Experiment& experiment, const Network& network,
               std::int64_t steps) {
  if (!line.run_dir.empty()) check_run_folder(line.run_dir);
  const fs::path folder = disk_of(line);
  struct statvfs disk {};
  if (::statvfs(folder.c_str(), &disk) != 0) fail_usage("{}: cannot be read", folder.string());
  if (::access(folder.c_str(), W_OK) != 0) {
    fail_usage("{}: is not writable, and the run folder would be there", folder.string());
  }
  const auto block = static_cast<std::int64_t>(disk.f_frsize);
  const std::int64_t free = block * static_cast<std::int64_t>(disk.f_bavail);
  const std::int64_t total = block * static_cast<std::int64_t>(disk.f_blocks);
  const std::int64_t checkpoint = checkpoint_bytes(experiment, network);
  const std::int64_t needed = run_folder_bytes(experiment, network, steps);
  fmt::print("disk      at most {} of {} free in {}: up to {} checkpoints of {}, and the reports\n",
             size_text(needed), size_text(free), folder.string(),
             experiment.checkpoint.keep_last + 2, size_text(checkpoint));
  if (checkpoint > total) {
    fail_usage("{}: a checkpoint has {}, the whole disk {}", folder.string(), size_text(checkpoint),
               size_text(total));
  }
  if (needed <= free) return;
  fmt::print("warning: the disk of {} may become full\n", folder.string());
}

void print_source(const char* word, const SourceSurvey& source) {
  fmt::print("{:<9} {}: {}, {}{}, {}{}{}\n", word, printable(source.name), source.format,
             size_text(static_cast<std::int64_t>(source.bytes)),
             source.packed_bytes > 0 ? " inflated" : "",
             source.row_count == RowCount::kExact ? "" : "about ", count_of(source.rows, "row"),
             source.row_count == RowCount::kExact
                 ? ""
                 : fmt::format(" (estimated from the size and the first {})", source.rows_read));
}

void print_classes(const SourceSurvey& source) {
  const auto [least, most] =
      std::minmax_element(source.class_counts.begin(), source.class_counts.end());
  const auto missing = std::count(source.class_counts.begin(), source.class_counts.end(), 0);
  fmt::print("classes   {}, with {} to {} of the {} read\n", source.class_counts.size(), *least,
             *most, count_of(source.rows_read, "row"));
  if (missing == 0) return;
  fmt::print("warning: {} of {} classes {} no row there, {} {}\n", missing,
             source.class_counts.size(), missing == 1 ? "has" : "have",
             missing == 1 ? "it is" : "the first of them is", least - source.class_counts.begin());
}

std::string lanes_text(const Range& lanes) {
  if (lanes.size() == 1) return fmt::format("{}", lanes.first);
  return fmt::format("{}-{}", lanes.first, lanes.last - 1);
}

void print_ranks(const Experiment& experiment, const SplitSizes& split,
                 const std::vector<std::string>& hosts, const std::vector<RankPlan>& ranks) {
  const int lanes = experiment.parallel.lanes;
  const auto world = static_cast<std::int64_t>(ranks.size());
  fmt::print("\nrank  host              lanes    samples/step       rows     memory\n");
  for (std::size_t rank = 0; rank < std::min(ranks.size(), kMostRanksShown); ++rank) {
    const Range own = share_of(lanes, world, static_cast<std::int64_t>(rank));
    fmt::print("{:>4}  {:<16}  {:<7}  {:>12}  {:>9}  {:>9}\n", rank, hosts[rank], lanes_text(own),
               own.size() * experiment.parallel.global_batch / lanes,
               split.training * own.size() / lanes, size_text(ranks[rank].need.peak()));
  }
  if (ranks.size() > kMostRanksShown) fmt::print("and {} more\n", ranks.size() - kMostRanksShown);
  const MemoryNeed& need = ranks.front().need;
  fmt::print(
      "rank 0: program {}, then for loading {}, or for training {}: rows {}, weights and moments "
      "{}, sums over lanes {}, passes {}, saving {}, report {}\n\n",
      size_text(need.program), size_text(need.loading), size_text(need.training()),
      size_text(need.rows), size_text(need.weights), size_text(need.sums), size_text(need.passes),
      size_text(need.saving), size_text(need.report));
}

void print_steps(const Experiment& experiment, const SplitSizes& split, RowCount counted) {
  const std::int64_t batch = experiment.parallel.global_batch;
  const std::int64_t lanes = experiment.parallel.lanes;
  const std::int64_t steps = (split.training + batch - 1) / batch;
  fmt::print("split     {}{} training and {}\n", counted == RowCount::kExact ? "" : "about ",
             split.training, count_of(split.validation, "validation row"));
  fmt::print("steps     {} an epoch, {} in {}; global batch {}, {} in an epoch's last step\n",
             steps, steps * experiment.train.epochs, count_of(experiment.train.epochs, "epoch"),
             batch, split.training - (steps - 1) * batch);
  fmt::print("lanes     {}, of {}{} samples a step each\n", lanes, batch / lanes,
             batch % lanes == 0 ? "" : fmt::format(" or {}", batch / lanes + 1));
}

// Where the rows of a rank's lanes will be for its GPU.
void plan_gpu_rows(const Accelerator& gpu, const Experiment& experiment, const SourceSurvey& source,
                   const SplitSizes& split, const Communicator& comm, RankPlan& plan) {
  const std::int64_t lanes = experiment.parallel.lanes;
  const std::int64_t own = share_of(lanes, comm.world_size(), comm.rank()).size();
  plan.gpu_rows = (split.training * own + lanes - 1) / lanes * experiment.data.shape.pixels() *
                  static_cast<std::int64_t>(bytes_of(source.pixel_type));
  plan.on_gpu = residence_on(gpu, static_cast<std::uint64_t>(plan.gpu_rows));
}

void print_gpu_rows(const std::vector<RankPlan>& ranks) {
  std::int64_t most = 0;
  std::int64_t streamed = 0;
  for (const RankPlan& each : ranks) {
    most = std::max(most, each.gpu_rows);
    if (each.on_gpu == RowResidence::kStreamed) ++streamed;
  }
  fmt::print("GPUs      rows of up to {} a rank: {}\n", size_text(most),
             streamed == 0 ? "all in the GPU's memory"
                           : fmt::format("on {} streamed to the GPU, step by step",
                                         count_of(streamed, "rank")));
}

// A training does not read the test rows: what is wrong with them is for later.
void look_at_test_rows(Communicator& comm, const Experiment& experiment, const DataOptions& found) {
  if (experiment.data.test.path.empty()) return;
  try {
    const SourceSurvey source =
        survey(comm, below_root(experiment.data.test), found, Labels::kOptional);
    if (comm.rank() == 0) print_source("test data", source);
  } catch (const Error& error) {
    if (error.reach() != Reach::kAgreed) throw;
    if (comm.rank() == 0) fmt::print("warning: data.test: {}\n", error.what());
  }
}

// `validation_rows` are those of a source of their own.
SplitSizes split_of(const SourceSurvey& source, const Experiment& experiment,
                    std::int64_t validation_rows) {
  std::vector<std::int64_t> counts = source.class_counts;
  const std::int64_t read = std::max<std::int64_t>(source.rows_read, 1);
  for (std::int64_t& count : counts) {
    if (source.rows != source.rows_read) count = count * (source.rows / read);
  }
  ValidationOptions validation = experiment.data.validation;
  const bool given = source.validation_rows > 0 || !validation.source.path.empty();
  if (given) validation.fraction = 0;
  SplitSizes split = split_sizes(counts, validation);
  if (given) split.validation = source.validation_rows + validation_rows;
  if (split.training >= experiment.parallel.lanes) return split;
  fail_usage("{}: {} beside {} of validation; expected at least one for each of {}", source.name,
             count_of(split.training, "training row"), split.validation,
             count_of(experiment.parallel.lanes, "lane"));
}

// Collective.
std::int64_t sum_bytes(Communicator& comm, const ParallelOptions& options, const Network& network) {
  return lane_sum_bytes(comm,
                        {.lanes = options.lanes,
                         .size = network.changing_size() + kTailSize,
                         .normed_size = network.trainable_size(),
                         .wire = options.wire},
                        options.reduction);
}

}  // namespace

void check_least_memory(Communicator& comm, const PreparedExperiment& prepared) {
  agree(comm, [&] {
    const std::int64_t needed = least_bytes(prepared.experiment, *prepared.network);
    check_total(host_name(), needed * comm.node_size(), memory_here());
  });
}

// Of a part of the data that part's classes are counted, with a word on it; a training counts all.
DataOptions classes_for_plan(const Communicator& comm, const Experiment& experiment,
                             const SourceSurvey& source) {
  DataOptions found = source.options;
  if (experiment.data.classes != 0 || source.is_whole) return found;
  found.classes = classes_of_part(experiment, found.classes);
  if (comm.rank() == 0) {
    fmt::print("classes were counted in a part of the data: {}; data.classes tells them all\n",
               found.classes);
  }
  return found;
}

void dry_run(Communicator& comm, PreparedExperiment& prepared, const CommandLine& line) {
  const Experiment& experiment = prepared.experiment;
  const int threads = worker_count(comm, line.threads);
  const std::string host = host_name();
  const SourceSurvey source =
      survey(comm, below_root(experiment.data.train), experiment.data, Labels::kRequired);
  take_classes(comm, line, prepared, classes_for_plan(comm, experiment, source));
  const Network& network = *prepared.network;
  std::int64_t validation_rows = 0;
  if (!experiment.data.validation.source.path.empty()) {
    validation_rows = survey(comm, below_root(experiment.data.validation.source), source.options,
                             Labels::kRequired)
                          .rows;
  }
  const auto initial = find_initial_weights(comm, experiment, network);
  const std::int64_t sums = sum_bytes(comm, experiment.parallel, network);
  SplitSizes split;
  RankPlan mine;
  agree(comm, [&] {
    split = split_of(source, experiment, validation_rows);
    mine.total = memory_here();
    mine.free = std::min(static_cast<std::int64_t>(free_memory()), mine.total);
    const auto need = [&](std::int64_t program) {
      return memory_need(comm, experiment, network, source, split, threads, program, sums);
    };
    // Before the pass, which would take it.
    check_total(host, need(0).peak(), mine.total);
    mine.need = need(program_bytes(prepared, threads));
    if (prepared.device.gpu != nullptr) {
      plan_gpu_rows(*prepared.device.gpu, experiment, source, split, comm, mine);
    }
  });
  const std::vector<std::string> hosts = gather_texts(comm, host);
  const std::vector<RankPlan> ranks = gather_values(comm, mine);
  const bool root = comm.rank() == 0;
  if (root) {
    fmt::print("{}\n", model_table(network));
    if (initial) {
      fmt::print("{}\n", initial_table(network, *initial, experiment.initialize->path));
    }
    print_source("data", source);
    print_classes(source);
    if (!source.found.empty()) fmt::print("found     {}\n", printable(source.found));
    if (!source.layout_doubt.empty()) fmt::print("warning: {}\n", source.layout_doubt);
  }
  look_at_test_rows(comm, experiment, source.options);
  agree(comm, [&] {
    if (!root) return;
    print_steps(experiment, split, source.row_count);
    fmt::print("ranks     {} of {} each\n", ranks.size(), count_of(threads, "worker"));
    print_ranks(experiment, split, hosts, ranks);
    for (const auto& [name, memory] : by_host(hosts, ranks)) plan_memory(name, memory);
    if (prepared.device.gpu != nullptr) print_gpu_rows(ranks);
    const std::int64_t steps =
        (split.training + experiment.parallel.global_batch - 1) / experiment.parallel.global_batch;
    plan_disk(line, experiment, network, steps * experiment.train.epochs);
    fmt::print("\n{} training and {}; the experiment can be run\n", split.training,
               count_of(split.validation, "validation row"));
  });
}

}  // namespace lockstep
