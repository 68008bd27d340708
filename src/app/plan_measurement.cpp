#include "app/plan_measurement.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>

#include "app/commands.h"
#include "lockstep/core/files.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/parallel/buckets.h"
#include "lockstep/parallel/lane_sum.h"
#include "lockstep/parallel/step_tail.h"
#include "lockstep/run/run_folder.h"
#include "lockstep/train/cpu_stepper.h"

namespace lockstep {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRounds = 5;
constexpr int kLanesAdded = 8;  // by each worker, to time an addition
constexpr double kRoundSeconds = 0.04;

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Steps of lanes of one size, one lane a worker.
class PassTimer {
 public:
  PassTimer(Communicator& comm, const Experiment& experiment, const Network& network,
            const TrainingData& data, Workers& workers, std::int64_t samples)
      : batch_(samples * workers.count()),
        steps_(std::max<std::int64_t>(data.summary().training_rows / batch_, 1)),
        stepper_(comm, network, data, workers, options(experiment, workers.count()),
                 experiment.train, experiment.seed) {
    time_steps();
    passes_.clear();
    updates_.clear();
  }

  // As many steps as take kRoundSeconds.
  void time_steps() {
    const auto begin = Clock::now();
    do {
      stepper_.step(0, next_++ % steps_, 0.0F);
      const StepTimes times = stepper_.take_times();
      passes_.push_back(times.data + times.forward + times.backward);
      updates_.push_back(times.update);
    } while (std::chrono::duration<double>(Clock::now() - begin).count() < kRoundSeconds);
  }

  double pass_seconds() { return median(passes_); }
  double update_seconds() { return median(updates_); }

 private:
  ParallelOptions options(const Experiment& experiment, int lanes) const {
    ParallelOptions options = experiment.parallel;
    options.lanes = lanes;
    options.global_batch = static_cast<int>(batch_);
    options.digest_every_steps = 0;
    return options;
  }

  std::int64_t batch_;
  std::int64_t steps_;  // of whole batches in an epoch
  CpuStepper stepper_;
  std::int64_t next_ = 0;
  std::vector<double> passes_;
  std::vector<double> updates_;
};

// Of a lane of so many samples: the part of its pass after which each bucket is written.
std::vector<MeasuredTimes::Bucket> measure_buckets(const Experiment& experiment,
                                                   const Network& network, const TrainingData& data,
                                                   std::int64_t samples) {
  const Buckets buckets(network, experiment.parallel, network.changing_size() + kTailSize);
  const Replica replica =
      first_replica(network, experiment.parallel, experiment.train, experiment.seed);
  LaneExecutor executor(network, experiment.parallel.precision);
  std::vector<std::vector<double>> seconds(buckets.elements.size());
  Clock::time_point begin;
  std::size_t written = 0;
  const auto mark = [&](std::size_t count) {
    const double passed = std::chrono::duration<double>(Clock::now() - begin).count();
    for (; written < count; ++written) seconds[written].push_back(passed);
  };
  executor.watch_backward(
      [&](std::size_t op) { mark(static_cast<std::size_t>(buckets.written[op])); });
  std::vector<float> gradients(static_cast<std::size_t>(network.trainable_size()));
  std::vector<float> statistics(static_cast<std::size_t>(network.statistics_size()));
  Batch batch;
  for (int round = 0; round < kRounds; ++round) {
    begin = Clock::now();
    written = 0;
    data.fill_batch(/*lane=*/0, /*epoch=*/0, /*step=*/0,
                    static_cast<int>(samples) * experiment.parallel.lanes, batch);
    executor.train(replica.weights, batch, {.seed = experiment.seed}, gradients, statistics);
    mark(seconds.size());
  }
  std::vector<MeasuredTimes::Bucket> found;
  const double pass = median(seconds.back());
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    const bool are_gradients = buckets.elements[i].last <= network.trainable_size();
    const bool halved = are_gradients && experiment.parallel.wire == Wire::kBf16;
    found.push_back({buckets.elements[i].size(), median(seconds[i]) / pass, halved ? 2 : 4});
  }
  return found;
}

double measure_addition(Communicator& comm, std::int64_t values, Workers& workers) {
  const int lanes = kLanesAdded * workers.count();
  const auto sum = make_lane_sum(
      comm, {.lanes = lanes, .size = values, .normed_size = values, .workers = workers.count()},
      Reduction::kOrdered);
  std::vector<double> seconds;
  for (int round = 0; round < 4 * kRounds; ++round) {
    std::vector<double> by_worker(static_cast<std::size_t>(workers.count()));
    workers.run(
        [&](int worker) { by_worker[static_cast<std::size_t>(worker)] = sum->run(worker).sum; });
    seconds.push_back(*std::max_element(by_worker.begin(), by_worker.end()) / kLanesAdded);
  }
  return median(seconds);
}

}  // namespace

MeasuredTimes measure_times(Communicator& comm, const Experiment& experiment,
                            const Network& network, const std::vector<std::int64_t>& samples,
                            int worker_count) {
  Experiment measured = experiment;
  measured.parallel.lanes = worker_count;
  const TrainingData data = load_training_data(comm, measured);
  Workers workers(worker_count, prepare_worker_thread);
  std::vector<std::unique_ptr<PassTimer>> timers;
  for (const std::int64_t each : samples) {
    timers.push_back(std::make_unique<PassTimer>(comm, experiment, network, data, workers, each));
  }
  for (int round = 0; round < kRounds; ++round) {
    for (const auto& timer : timers) timer->time_steps();
  }
  MeasuredTimes result;
  std::vector<double> updates;
  for (std::size_t i = 0; i < timers.size(); ++i) {
    result.passes.push_back({samples[i], timers[i]->pass_seconds()});
    updates.push_back(timers[i]->update_seconds() * worker_count);
  }
  result.update_seconds = median(updates);
  result.buckets =
      measure_buckets(measured, network, data,
                      std::min(samples.back(), data.summary().training_rows / worker_count));
  result.values = network.changing_size() + kTailSize;
  result.add_seconds = measure_addition(comm, result.values, workers);
  return result;
}

CheckpointCost measure_checkpoint(const Experiment& experiment, const Network& network) {
  const Optimizer optimizer(experiment.train.optimizer, network.trainable_size());
  auto floats = static_cast<double>(network.total_size());
  for (const auto& buffer : optimizer.buffers())
    floats += static_cast<double>(buffer.values.size());
  if (experiment.train.ema_decay > 0) floats += static_cast<double>(network.trainable_size());
  const fs::path folder = models_folder();
  fs::create_directories(folder);
  const fs::path file = folder / fmt::format(".plan-{}", ::getpid());
  const std::string content(static_cast<std::size_t>(floats * sizeof(float)), 'x');
  const auto begin = Clock::now();
  write_file_durably(file, content);
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  fs::remove(file);
  return {static_cast<double>(content.size()), seconds};
}

}  // namespace lockstep
