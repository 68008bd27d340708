// Times each op of an experiment's network forward and backward, for one lane on
// one thread: bench_ops EXPERIMENT SAMPLES [REPEATS]. Prints medians in ms.

#include <ATen/ops/ones_like.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

#include "lockstep/config/experiment.h"
#include "lockstep/model/lane_executor.h"
#include "lockstep/model/op_runner.h"

namespace lockstep {

namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;  // an op that needs no backward pass
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

Batch random_batch(const ImageShape& shape, int samples, int classes) {
  Batch batch;
  batch.size = samples;
  for (int i = 0; i < samples * shape.pixels(); ++i) {
    batch.images.push_back(static_cast<float>(std::rand()) / RAND_MAX);
  }
  for (int i = 0; i < samples; ++i) {
    batch.labels.push_back(i % classes);
    batch.rows.push_back(static_cast<std::uint64_t>(i));
  }
  return batch;
}

const char* name_of(const Op& op) {
  return std::visit([](const auto& work) { return work.kName; }, op.work);
}

void run(const Experiment& experiment, int samples, int repeats) {
  const Network network(experiment.model, experiment.data.shape, experiment.data.classes);
  const Weights weights(network.initial_weights(1), experiment.parallel.precision);
  const Batch batch = random_batch(network.input(), samples, network.classes());
  std::vector<float> gradients(static_cast<std::size_t>(network.trainable_size()));
  std::vector<float> statistics(static_cast<std::size_t>(network.statistics_size()));
  const LaneContext context;
  const Pass pass{.mode = Mode::kTrain,
                  .network = network,
                  .device = at::kCPU,
                  .weights = weights.values(),
                  .rounded_weights = weights.rounded(),
                  .samples = samples,
                  .gradients = gradients,
                  .statistics = statistics,
                  .batch = &batch,
                  .context = &context};
  PlanRunner plan(network, experiment.parallel.precision, make_cpu_runner);
  const std::size_t ops = network.plan().size();
  std::vector<std::vector<double>> forward(ops);
  std::vector<std::vector<double>> backward(ops);
  auto* times = &forward;
  auto begin = Clock::now();
  plan.watch([&](std::size_t op) {
    (*times)[op].push_back(milliseconds_since(begin));
    begin = Clock::now();
  });
  for (int repeat = 0; repeat < repeats; ++repeat) {
    at::Tensor images = input_of(pass, experiment.parallel.precision);
    times = &forward;
    begin = Clock::now();
    const at::Tensor logits = plan.forward(pass, std::move(images));
    at::Tensor d_logits = at::ones_like(logits);
    times = &backward;
    begin = Clock::now();
    plan.backward(pass, std::move(d_logits));
  }
  double total = 0;
  for (std::size_t i = 0; i < ops; ++i) {
    const Op& op = network.plan()[i];
    const ImageShape& in = op.in.front().shape;
    const ImageShape& out = op.out.shape;
    fmt::print("{:<10} {:>3}x{:<3}x{:<4} -> {:>3}x{:<3}x{:<4}  forward {:7.3f}  backward {:7.3f}\n",
               name_of(op), in.height, in.width, in.channels, out.height, out.width, out.channels,
               median(forward[i]), median(backward[i]));
    total += median(forward[i]) + median(backward[i]);
  }
  fmt::print("sum {:.3f} ms for {} samples\n", total, samples);
}

}  // namespace

}  // namespace lockstep

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: bench_ops EXPERIMENT SAMPLES [REPEATS]\n");
    return 2;
  }
  lockstep::prepare_worker_thread();
  const c10::InferenceMode no_autograd;
  lockstep::run(lockstep::load_experiment(argv[1], {}), std::atoi(argv[2]),
                argc > 3 ? std::atoi(argv[3]) : 100);
  return 0;
}
