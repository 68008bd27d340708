#include "lockstep/parallel/step_runner.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <exception>
#include <limits>
#include <optional>
#include <vector>

#include "lockstep/parallel/buckets.h"
#include "lockstep/parallel/lane_sum.h"

namespace lockstep {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

}  // namespace

std::optional<std::int64_t> first_non_finite(const Network& network,
                                             std::span<const float> gradients) {
  std::int64_t index = -1;
  for (const Parameter& parameter : network.parameters()) {
    ++index;
    if (parameter.range.last > network.trainable_size()) continue;
    const auto gradient = gradients.subspan(static_cast<std::size_t>(parameter.range.first),
                                            static_cast<std::size_t>(parameter.range.size()));
    for (const float value : gradient) {
      if (!std::isfinite(value)) return index;
    }
  }
  return std::nullopt;
}

struct StepRunner::State {
  const Network& network;
  Workers& workers;
  LaneContext context;               // but for what changes from step to step, and
  std::vector<float> class_weights;  // what it only points to
  Range owned;
  Buckets buckets;
  std::unique_ptr<LaneSum> sum;
  // By worker.
  std::vector<LaneExecutor> executors;
  std::vector<Batch> batches;
  std::vector<StepTimes> times;
  std::vector<int> written;            // buckets of its lane
  std::vector<double> seconds_of_sum;  // within its lane's pass
  std::array<std::atomic<bool>, kFlags> wishes{};
  std::atomic<std::int64_t> next_lane{0};

  std::int64_t tail() const { return network.changing_size(); }
  int bucket_count() const { return static_cast<int>(buckets.elements.size()); }
  void mark_written(int worker, int count);
  void sum_after(std::size_t op, int worker);

  void run_lane(int lane, int worker, const Weights& weights, int epoch, const Fill& fill);
  StepSum summed() const;
};

NonFinite find_non_finite(Range lanes,
                          const std::function<std::optional<std::int64_t>(int)>& first) {
  for (int lane = static_cast<int>(lanes.first); lane < lanes.last; ++lane) {
    if (const auto parameter = first(lane)) return {lane, *parameter};
  }
  return {kSumOfLanes, first(kSumOfLanes).value_or(0)};
}

StepSum read_tail(const float* tail) {
  StepSum step;
  step.samples = std::llround(tail[kSamples]);
  step.loss_sum = tail[kLoss];
  step.loss_weight = tail[kLossWeight];
  step.correct = std::llround(tail[kCorrect]);
  for (int flag = 0; flag < kFlags; ++flag) step.raised[flag] = tail[kFirstFlag + flag] > 0;
  return step;
}

StepRunner::StepRunner(Communicator& comm, const Network& network, Workers& workers,
                       const ParallelOptions& options, const LaneContext& context)
    : state_(new State{network,
                       workers,
                       {context.seed, 0, context.label_smoothing},
                       {context.class_weights.begin(), context.class_weights.end()},
                       share_of(options.lanes, comm.world_size(), comm.rank()),
                       Buckets(network, options, network.changing_size() + kTailSize),
                       nullptr,
                       {},
                       {},
                       {},
                       {},
                       {}}) {
  const LaneSumShape shape{.lanes = options.lanes,
                           .size = network.changing_size() + kTailSize,
                           .normed_size = network.trainable_size(),
                           .workers = workers.count(),
                           .buckets = state_->buckets.elements,
                           .wire = options.wire};
  state_->sum = make_lane_sum(comm, shape, options.reduction);
  for (int worker = 0; worker < workers.count(); ++worker) {
    state_->executors.emplace_back(network, options.precision)
        .watch_backward(
            [state = state_.get(), worker](std::size_t op) { state->sum_after(op, worker); });
  }
  const auto count = static_cast<std::size_t>(workers.count());
  state_->batches.resize(count);
  state_->times.resize(count);
  state_->written.resize(count);
  state_->seconds_of_sum.resize(count);
}

StepRunner::~StepRunner() = default;

Range StepRunner::owned_lanes() const { return state_->owned; }

// The first `count` buckets of the worker's lane are.
void StepRunner::State::mark_written(int worker, int count) {
  int& marked = written[static_cast<std::size_t>(worker)];
  for (; marked < count; ++marked) sum->is_written(marked);
}

void StepRunner::State::sum_after(std::size_t op, int worker) {
  const auto begin = Clock::now();
  mark_written(worker, buckets.written[op]);
  sum->progress(worker);
  seconds_of_sum[static_cast<std::size_t>(worker)] += seconds_between(begin, Clock::now());
}

void StepRunner::State::run_lane(int lane, int worker, const Weights& weights, int epoch,
                                 const Fill& fill) {
  const auto w = static_cast<std::size_t>(worker);
  const auto begin = Clock::now();
  seconds_of_sum[w] = 0;
  Batch& batch = batches[w];
  fill(lane, batch);
  const auto filled = Clock::now();
  const std::span<float> buffer = sum->lane(lane);
  const auto trainable = static_cast<std::size_t>(network.trainable_size());
  const auto statistics = static_cast<std::size_t>(network.statistics_size());
  const LaneContext of_epoch{context.seed, epoch, context.label_smoothing, class_weights};
  const LaneResult result =
      executors[w].train(weights, batch, of_epoch, buffer.subspan(0, trainable),
                         buffer.subspan(trainable, statistics));
  float* end = buffer.data() + tail();
  end[kLoss] = result.loss_sum;
  end[kCorrect] = result.correct;
  end[kSamples] = static_cast<float>(batch.size);
  end[kLossWeight] = result.weight;
  for (int flag = 0; flag < kFlags; ++flag) {
    const bool wish = wishes[static_cast<std::size_t>(flag)].load(std::memory_order_relaxed);
    end[kFirstFlag + flag] = wish ? 1.0F : 0.0F;
  }
  mark_written(worker, bucket_count());
  times[w].data += seconds_between(begin, filled);
  times[w].forward += result.forward_seconds;
  times[w].backward +=
      seconds_between(filled, Clock::now()) - result.forward_seconds - seconds_of_sum[w];
  times[w].sum += seconds_of_sum[w];
}

StepSum StepRunner::State::summed() const {
  const std::span<const float> values = sum->values();
  StepSum step = read_tail(values.data() + tail());
  step.gradients = values.first(static_cast<std::size_t>(network.trainable_size()));
  step.statistics = values.subspan(static_cast<std::size_t>(network.trainable_size()),
                                   static_cast<std::size_t>(network.statistics_size()));
  step.square_norm = sum->square_norm();
  return step;
}

StepSum StepRunner::run(const Weights& weights, int epoch, const Fill& fill, const Update& update) {
  State& state = *state_;
  state.next_lane = state.owned.first;
  state.workers.run([&](int worker) {
    StepTimes& times = state.times[static_cast<std::size_t>(worker)];
    std::exception_ptr failure;
    for (std::int64_t lane = state.next_lane++; lane < state.owned.last; lane = state.next_lane++) {
      state.written[static_cast<std::size_t>(worker)] = 0;
      try {
        state.run_lane(static_cast<int>(lane), worker, weights, epoch, fill);
      } catch (...) {
        // This worker joins the sum all the same, so that nobody waits for it; its
        // NaN, among the gradients that are written last, keeps every rank from using the sum.
        failure = std::current_exception();
        state.sum->lane(static_cast<int>(lane))[0] = std::numeric_limits<float>::quiet_NaN();
        state.mark_written(worker, state.bucket_count());
      }
    }
    const SumTimes of_sum = state.sum->run(worker);
    if (failure) std::rethrow_exception(failure);
    const auto summed = Clock::now();
    update(state.summed(), worker);
    times.wait += of_sum.wait;
    times.sum += of_sum.sum;
    times.exposed += of_sum.exposed;
    times.hidden += of_sum.hidden;
    times.update += seconds_between(summed, Clock::now());
  });
  return state.summed();
}

NonFinite StepRunner::find_non_finite() const {
  const State& state = *state_;
  return lockstep::find_non_finite(state.owned, [&](int lane) {
    return first_non_finite(state.network,
                            lane == kSumOfLanes ? state.sum->values() : state.sum->lane(lane));
  });
}

void StepRunner::raise(Flag flag) { state_->wishes[static_cast<std::size_t>(flag)] = true; }
void StepRunner::lower(Flag flag) { state_->wishes[static_cast<std::size_t>(flag)] = false; }

StepTimes StepRunner::take_times() {
  StepTimes sum;
  for (StepTimes& each : state_->times) {
    sum += each;
    each = {};
  }
  return sum / static_cast<double>(state_->times.size());
}

}  // namespace lockstep
