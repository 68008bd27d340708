// Measures training steps of an experiment.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "app/commands.h"
#include "lockstep/core/error.h"
#include "lockstep/core/text.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/model/peak.h"
#include "lockstep/train/stepper.h"

namespace lockstep {

namespace {

using Clock = std::chrono::steady_clock;

// What was measured, in seconds a step.
struct Measurement {
  double step = 0;  // median
  std::vector<StepTimes> by_rank;
  double flop = 0;        // of a step
  double peak_flops = 0;  // a second, of all ranks' cores; 0 where a GPU computes

  double flops() const { return flop / step; }
};

Measurement measure(Communicator& comm, const Experiment& experiment, const TrainingData& data,
                    Stepper& stepper, int steps) {
  const std::int64_t whole = data.summary().training_rows / experiment.parallel.global_batch;
  if (whole == 0) {
    throw Error(ExitCode::kUsage,
                fmt::format("training.global_batch is {}, but there are only {}",
                            experiment.parallel.global_batch,
                            count_of(data.summary().training_rows, "training row")),
                Reach::kAgreed);
  }
  std::vector<double> seconds;
  const int warmup = steps / 10 + 1;
  for (int i = 0; i < warmup + steps; ++i) {
    if (i == warmup) {
      comm.barrier();
      stepper.take_times();
      seconds.clear();
    }
    const auto begin = Clock::now();
    stepper.step(static_cast<int>(i / whole), i % whole,
                 base_learning_rate(experiment.train.optimizer));
    seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
  }
  const StepTimes times = stepper.take_times() / steps;
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  return {*middle, gather_values(comm, times)};
}

// Of convolutions and dense layers. The backward pass takes twice the multiply-adds of the
// forward pass: once for the gradient of the input, once for that of the weights.
// 0, so not told, where layers are frozen, which spares a part of it.
double flop_of_a_step(const Network& network, int global_batch) {
  for (const Parameter& parameter : network.parameters()) {
    if (parameter.frozen) return 0;
  }
  double multiply_adds = 0;
  for (const LayerInfo& layer : network.layers()) {
    multiply_adds += static_cast<double>(layer.multiply_adds);
  }
  return 2 * 3 * multiply_adds * global_batch;
}

// Collective: all cores at once, as in a step.
double peak_of_all(Communicator& comm, Workers& workers, Precision precision) {
  comm.barrier();
  const std::vector<double> by_rank = gather_values(comm, measure_peak_flops(workers, precision));
  return std::accumulate(by_rank.begin(), by_rank.end(), 0.0);
}

std::string to_json(const Measurement& measured, const Experiment& experiment, int threads) {
  nlohmann::ordered_json json;
  json["images_per_second"] = experiment.parallel.global_batch / measured.step;
  json["seconds_per_step"] = measured.step;
  json["global_batch"] = experiment.parallel.global_batch;
  if (measured.flop > 0) json["gflops"] = measured.flops() / 1e9;
  if (measured.flop > 0 && measured.peak_flops > 0) {
    json["peak_gflops"] = measured.peak_flops / 1e9;
    json["share_of_peak"] = measured.flops() / measured.peak_flops;
  }
  json["ranks"] = measured.by_rank.size();
  json["threads"] = threads;
  const Straggler straggler = find_straggler(measured.by_rank);
  json["slowest_rank"] = straggler.rank;
  json["slowest_for"] = name_of(straggler.cause);
  for (const StepTimes& times : measured.by_rank) {
    nlohmann::ordered_json& rank = json["by_rank"].emplace_back();
    for (const auto& [name, time] : kTimesOfAStep) rank[name] = times.*time;
  }
  return json.dump() + "\n";
}

std::string arithmetic_of(const Measurement& measured) {
  if (measured.flop == 0) return "";
  std::string text = fmt::format("{:.1f} GFLOP/s", measured.flops() / 1e9);
  if (measured.peak_flops > 0) {
    text += fmt::format(", {:.1f} % of the {:.0f} that these cores reach in registers",
                        100 * measured.flops() / measured.peak_flops, measured.peak_flops / 1e9);
  }
  return text +
         "\n(6 x multiply-adds of convolutions and dense layers as they are defined: 3 x the "
         "forward pass's, 2 FLOP each; those of 3x3 take up to 2.25 times fewer, in fp32 4 "
         "times)\n";
}

std::string to_table(const Measurement& measured, const Experiment& experiment, int threads) {
  const auto ranks = measured.by_rank.size();
  std::string text = fmt::format(
      "{:.0f} images/s, {:.3f} ms a step of {}; {} of {}\n{}\n"
      "rank    data  forward  backward    wait     sum  exposed  hidden  update   (ms a step)\n",
      experiment.parallel.global_batch / measured.step, measured.step * 1e3,
      count_of(experiment.parallel.global_batch, "image"), count_of(ranks, "rank"),
      count_of(threads, "worker"), arithmetic_of(measured));
  const int slowest = find_straggler(measured.by_rank).rank;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const StepTimes& times = measured.by_rank[rank];
    text += fmt::format(
        "{:4} {:7.3f}  {:7.3f}  {:8.3f} {:7.3f} {:7.3f}  {:7.3f} {:7.3f} {:7.3f}{}\n", rank,
        times.data * 1e3, times.forward * 1e3, times.backward * 1e3, times.wait * 1e3,
        times.sum * 1e3, times.exposed * 1e3, times.hidden * 1e3, times.update * 1e3,
        ranks > 1 && static_cast<int>(rank) == slowest ? "   slowest" : "");
  }
  return text +
         "\nwait: for the slowest lane of all ranks; sum: adding the lanes' gradients, all "
         "communication included; exposed: the part of it that is communication; hidden: "
         "communication while lanes were computed\n";
}

}  // namespace

int run_bench(Communicator& comm, const CommandLine& line) {
  PreparedExperiment prepared = prepare(comm, line);
  const auto& [experiment, network, device] = prepared;
  const TrainingData data = load_training_data(comm, line, prepared);
  const int threads = worker_count(comm, line.threads);
  Workers workers(threads, prepare_worker_thread);
  const auto stepper = device.make_stepper(comm, *network, data, workers, experiment);
  Measurement measured = measure(comm, experiment, data, *stepper, line.steps);
  measured.flop = flop_of_a_step(*network, experiment.parallel.global_batch);
  if (device.gpu == nullptr) {
    measured.peak_flops = peak_of_all(comm, workers, experiment.parallel.precision);
  }
  if (comm.rank() == 0) {
    fmt::print("{}", line.json ? to_json(measured, experiment, threads)
                               : to_table(measured, experiment, threads));
  }
  return 0;
}

}  // namespace lockstep
