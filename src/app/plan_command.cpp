// Predicts training steps of an experiment on clusters from times measured here.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/commands.h"
#include "app/plan_measurement.h"
#include "lockstep/core/error.h"
#include "lockstep/core/text.h"
#include "lockstep/parallel/lane_sum.h"

namespace lockstep {

namespace {

constexpr double kEfficient = 0.8;
constexpr std::int64_t kMostSamples = 512;  // of a pass measured

// One line of the answer.
struct Row {
  PlannedJob job;
  int nodes = 1;
  StepPrediction step;
  double efficiency = 1;             // of images a second a rank, against one rank alone
  std::int64_t efficient_batch = 0;  // at which that is kEfficient; 0: none
};

int node_cores(const Communicator& comm, const CommandLine& line) {
  return line.cores_per_node > 0 ? line.cores_per_node : worker_count(comm, 0);
}

PlannedNodes nodes_of(const Communicator& comm, const CommandLine& line) {
  PlannedNodes nodes;
  nodes.cores_per_node = node_cores(comm, line);
  const int threads = std::max(line.threads, 1);
  nodes.ranks_per_node =
      line.ranks_per_node > 0 ? line.ranks_per_node : std::max(nodes.cores_per_node / threads, 1);
  nodes.link = link_of(line.network);
  return nodes;
}

// Powers of two up to what a lane of the experiment gets when one rank does it all, or a
// few times that.
std::vector<std::int64_t> pass_sizes(const Experiment& experiment, std::int64_t rows) {
  const std::int64_t most =
      std::clamp<std::int64_t>(4 * experiment.parallel.global_batch / experiment.parallel.lanes, 2,
                               std::min(kMostSamples, std::max<std::int64_t>(rows, 2)));
  std::vector<std::int64_t> sizes;
  for (std::int64_t size = 1; size <= most; size *= 2) sizes.push_back(size);
  return sizes;
}

class Planner {
 public:
  Planner(Communicator& comm, const CommandLine& line, const Experiment& experiment,
          const Network& network, std::int64_t rows)
      : line_(line), experiment_(experiment), nodes_(nodes_of(comm, line)) {
    alone_ = measure_times(comm, experiment, network, pass_sizes(experiment, rows), 1);
    const int most =
        std::min({nodes_.ranks_per_node * threads(), nodes_.cores_per_node, worker_count(comm, 0)});
    busy_ = most > 1 ? measure_times(comm, experiment, network, pass_sizes(experiment, rows / most),
                                     most)
                     : alone_;
  }

  const PlannedNodes& nodes() const { return nodes_; }
  const MeasuredTimes& alone() const { return alone_; }
  int threads() const { return std::max(line_.threads, 1); }

  Row row(int ranks) const {
    Row row;
    row.job = {.global_batch = experiment_.parallel.global_batch,
               .lanes = std::max(experiment_.parallel.lanes, ranks),
               .ranks = ranks,
               .threads = threads()};
    row.nodes = (ranks + nodes_.ranks_per_node - 1) / nodes_.ranks_per_node;
    const MeasuredTimes& measured = ranks * threads() == 1 ? alone_ : busy_;
    row.step = predict_step(measured, row.job, nodes_);
    PlannedJob one = row.job;
    one.ranks = 1;
    one.lanes = experiment_.parallel.lanes;
    const double of_one =
        predict_step(threads() == 1 ? alone_ : busy_, one, nodes_).images_per_second;
    row.efficiency = row.step.images_per_second / ranks / of_one;
    row.efficient_batch = efficient_batch(busy_, one, row.job, nodes_, kEfficient);
    return row;
  }

 private:
  const CommandLine& line_;
  const Experiment& experiment_;
  PlannedNodes nodes_;
  MeasuredTimes alone_;  // one worker on an idle machine
  MeasuredTimes busy_;   // as many at once as a node has
};

nlohmann::ordered_json json_of(const Row& row) {
  return {{"ranks", row.job.ranks},
          {"nodes", row.nodes},
          {"lanes", row.job.lanes},
          {"seconds_per_step", row.step.step},
          {"compute", row.step.compute},
          {"sum", row.step.sum},
          {"exposed", row.step.exposed},
          {"update", row.step.update},
          {"images_per_second", row.step.images_per_second},
          {"efficiency", row.efficiency},
          {"efficient_global_batch", row.efficient_batch}};
}

void print_json(const Planner& planner, const std::vector<Row>& rows,
                const CheckpointCost& checkpoint) {
  nlohmann::ordered_json json;
  json["global_batch"] = rows.front().job.global_batch;
  json["threads"] = planner.threads();
  json["ranks_per_node"] = planner.nodes().ranks_per_node;
  json["cores_per_node"] = planner.nodes().cores_per_node;
  json["checkpoint_bytes"] = checkpoint.bytes;
  json["checkpoint_seconds"] = checkpoint.seconds;
  for (const Row& row : rows) json["plans"].push_back(json_of(row));
  fmt::print("{}\n", json.dump());
}

void print_advice(const std::vector<Row>& rows, int lanes) {
  const Row& largest = *std::max_element(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return a.job.ranks < b.job.ranks;
  });
  if (largest.job.lanes > lanes) {
    fmt::print(
        "\nMore than {} need more lanes: training.lanes is the most ranks that can share a "
        "step.\nIt is part of the experiment: other lanes give other weights, the same at any "
        "number of ranks.\n",
        count_of(lanes, "rank"));
  }
  fmt::print(
      "\nbatch for {:.0f} %: the global batch at which each rank does {:.0f} % of the images a "
      "second of one\nrank alone. A larger batch makes fewer steps of an epoch: raise the learning "
      "rate with it.\n",
      kEfficient * 100, kEfficient * 100);
}

void print_table(const Planner& planner, const std::vector<Row>& rows, const Experiment& experiment,
                 const Network& network, const CheckpointCost& checkpoint,
                 const std::string& link) {
  const auto lane =
      static_cast<double>(experiment.parallel.global_batch) / experiment.parallel.lanes;
  fmt::print(
      "{}; measured here: {:.2f} ms for a lane of {}, {:.2f} ms for the update, one thread\n"
      "a checkpoint: {:.1f} MB, {:.3f} s to disk, beside the training\n"
      "nodes of {} on {}, {} each; network {}; global batch {}\n\n"
      "ranks  nodes  lanes  compute      sum   update     step  images/s  efficiency  batch for "
      "{:.0f} %\n",
      count_of(network.parameter_count(), "parameter"), pass_seconds(planner.alone(), lane) * 1e3,
      count_of(static_cast<std::int64_t>(std::ceil(lane)), "image"),
      planner.alone().update_seconds * 1e3, checkpoint.bytes / 1e6, checkpoint.seconds,
      count_of(planner.nodes().ranks_per_node, "rank"),
      count_of(planner.nodes().cores_per_node, "core"), count_of(planner.threads(), "thread"), link,
      experiment.parallel.global_batch, kEfficient * 100);
  for (const Row& row : rows) {
    fmt::print("{:5} {:6} {:6} {:8.3f} {:8.3f} {:8.3f} {:8.3f} {:9.0f} {:9.0f} %  {:>14}\n",
               row.job.ranks, row.nodes, row.job.lanes, row.step.compute * 1e3, row.step.sum * 1e3,
               row.step.update * 1e3, row.step.step * 1e3, row.step.images_per_second,
               row.efficiency * 100,
               row.efficient_batch > 0 ? std::to_string(row.efficient_batch) : "none");
  }
  fmt::print("(times in ms a step)\n");
  print_advice(rows, experiment.parallel.lanes);
}

}  // namespace

int run_plan(Communicator& comm, const CommandLine& line) {
  if (comm.world_size() > 1) {
    throw Error(
        ExitCode::kUsage,
        fmt::format("plan measures one process and was started on {} ranks", comm.world_size()),
        Reach::kAgreed);
  }
  link_of(line.network);  // before the long work
  PreparedExperiment prepared = prepare(comm, line);
  const auto& [experiment, network, device] = prepared;
  if (device.gpu != nullptr) fail_usage("plan predicts steps on CPUs alone; add --set device=CPU");
  const TrainingData data = load_training_data(comm, line, prepared);
  const Planner planner(comm, line, experiment, *network, data.summary().training_rows);
  std::vector<Row> rows;
  for (const int ranks : line.ranks) rows.push_back(planner.row(ranks));
  const CheckpointCost checkpoint = measure_checkpoint(experiment, *network);
  if (line.json) {
    print_json(planner, rows, checkpoint);
  } else {
    print_table(planner, rows, experiment, *network, checkpoint, line.network);
  }
  return 0;
}

}  // namespace lockstep
