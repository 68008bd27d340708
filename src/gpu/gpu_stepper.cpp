#include "lockstep/gpu/gpu_stepper.h"

#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>
#include <spdlog/spdlog.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "gpu/device.h"
#include "gpu/device_lane.h"
#include "gpu/device_replica.h"
#include "gpu/device_rows.h"
#include "gpu/device_sum.h"
#include "gpu/step_inputs.h"
#include "lockstep/core/error.h"
#include "lockstep/core/host.h"

namespace lockstep {

namespace {

using Clock = std::chrono::steady_clock;
using LaneSizes = std::vector<std::int64_t>;  // samples of each lane, of all ranks

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

struct GpuStepper::State {
  Accelerator& accelerator;
  Communicator& comm;
  const Network& network;
  const TrainingData& data;
  ParallelOptions parallel;
  TrainOptions train;
  std::uint64_t seed;
  std::unique_ptr<Transport> transport;
  Replica replica;
  bool replica_is_old = false;  // the device's is newer
  DeviceReplica device;
  DeviceSum sum;
  std::vector<std::uint32_t> layers;  // of dropout
  StepInputs layout;
  std::span<std::byte> inputs;  // of the host
  at::Tensor device_inputs;
  gpu::StepFacts* facts;  // of the host
  at::Tensor device_facts;
  at::Tensor squares;
  DeviceRows rows;
  std::vector<DeviceLane> lanes;
  std::map<LaneSizes, std::unique_ptr<Recording>> recordings;
  std::array<bool, kFlags> wishes{};
  StepTimes times;

  // Of the step that the host drew ahead.
  std::pair<int, std::int64_t> drawn_for{-1, -1};
  std::vector<std::vector<DrawnSample>> drawn;  // by owned lane

  std::byte* device_base() const {
    return reinterpret_cast<std::byte*>(device_inputs.data_ptr<std::uint8_t>());
  }
  gpu::StepFacts* facts_on_device() const {
    return reinterpret_cast<gpu::StepFacts*>(device_facts.data_ptr<std::uint8_t>());
  }

  void make_lanes();
  void draw(int epoch, std::int64_t step);
  LaneSizes sizes_in(std::int64_t step) const;
  void write_inputs(int epoch, std::int64_t step, float learning_rate);
  void run_lanes(const LaneSizes& sizes);
  void update();
  Recording& recording_of(const LaneSizes& sizes);
  void run_step(int epoch, std::int64_t step, float learning_rate);
  StepSum summed() const;
  void share_faults(const std::function<void()>& work);

  // For all ranks' part in what was enqueued; the watchdogs watch.
  void wait(const char* operation) {
    struct Waiting {
      Communicator& comm;
      ~Waiting() { comm.end_wait(); }
    };
    comm.begin_wait(operation);
    const Waiting waiting{comm};
    accelerator.wait();
  }
};

namespace {

std::int64_t most_samples(const ParallelOptions& parallel) {
  return (parallel.global_batch + parallel.lanes - 1) / parallel.lanes;
}

std::int64_t square_blocks(const Network& network) {
  return (network.trainable_size() + gpu::kSquareBlock - 1) / gpu::kSquareBlock;
}

at::Tensor floats_of(const Accelerator& accelerator, const Normalization& normalization) {
  std::vector<float> values = normalization.factor;
  values.insert(values.end(), normalization.offset.begin(), normalization.offset.end());
  return to_device<float>(accelerator, values, at::kFloat);
}

}  // namespace

GpuStepper::GpuStepper(Accelerator& accelerator, Communicator& comm, const Network& network,
                       const TrainingData& data, const ParallelOptions& parallel,
                       const TrainOptions& train, std::uint64_t seed) {
  const c10::InferenceMode no_autograd;
  accelerator.load_kernels(parallel.precision);
  std::unique_ptr<Transport> transport = accelerator.connect(comm);
  Transport& between = *transport;
  Replica replica = first_replica(network, parallel, train, seed);
  DeviceReplica device(accelerator, network, replica, train.optimizer);
  std::vector<std::uint32_t> layers = dropout_layers(network);
  const StepInputs layout(layers.size(), data.owned_lanes().size(), most_samples(parallel));
  const auto bytes = static_cast<std::int64_t>(layout.bytes());
  state_.reset(new State{
      .accelerator = accelerator,
      .comm = comm,
      .network = network,
      .data = data,
      .parallel = parallel,
      .train = train,
      .seed = seed,
      .transport = std::move(transport),
      .replica = std::move(replica),
      .device = std::move(device),
      .sum = DeviceSum(accelerator, between,
                       {.lanes = parallel.lanes,
                        .size = network.changing_size() + kTailSize,
                        .normed_size = network.trainable_size(),
                        .wire = parallel.wire},
                       parallel.reduction),
      .layers = std::move(layers),
      .layout = layout,
      .inputs = accelerator.host_memory(layout.bytes()),
      .device_inputs = device_zeros(accelerator, bytes, at::kByte),
      .facts =
          reinterpret_cast<gpu::StepFacts*>(accelerator.host_memory(sizeof(gpu::StepFacts)).data()),
      .device_facts = device_zeros(accelerator, sizeof(gpu::StepFacts), at::kByte),
      .squares = device_zeros(accelerator, square_blocks(network), at::kDouble),
      .rows = DeviceRows(accelerator, data, parallel.global_batch, most_samples(parallel)),
      .lanes = {},
      .recordings = {},
      .times = {},
      .drawn = {}});
  state_->make_lanes();
  if (state_->rows.residence() == RowResidence::kStreamed) {
    spdlog::info("rows do not fit into the GPU's memory: those of the next steps are copied there");
  }
  // The transports connect here, outside of any recording.
  state_->share_faults([&] {
    state_->sum.run();
    state_->wait("the GPUs' connections");
  });
}

GpuStepper::~GpuStepper() = default;

void GpuStepper::State::make_lanes() {
  const LaneSettings settings{
      .accelerator = accelerator,
      .network = network,
      .precision = parallel.precision,
      .label_smoothing = train.label_smoothing,
      .augmentation = data.options().augmentation,
      .pixel_type = data.pixel_type(),
      .range = data.options().range,
      .normalization = floats_of(accelerator, data.summary().normalization),
      .mean = to_device<float>(accelerator, data.mean_pixel(), at::kFloat),
      .class_weights = to_device<float>(
          accelerator, loss_weights(train, data.summary().training_class_counts), at::kFloat),
      .rule = StepInputs::rule(device_base())};
  const Range owned = data.owned_lanes();
  for (std::int64_t lane = owned.first; lane < owned.last; ++lane) {
    const std::int64_t place = lane - owned.first;
    lanes.emplace_back(
        settings, rows.lane(place),
        DropoutSource{layout.samples(device_base(), place), layout.keys(device_base())});
  }
}

// A fault of one GPU leaves the others waiting: the ranks agree on it, then each ends what
// it has under way.
void GpuStepper::State::share_faults(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception& exception) {
    const Error mine = Error::from(exception);
    const std::string place = fmt::format("rank {} on {}", comm.rank(), host_name());
    const Error fault = comm.agree_on_fault(comm.world_size() == 1 ? mine : mine.within(place));
    recordings.clear();
    transport->abandon();
    throw Error(fault);
  }
}

void GpuStepper::State::draw(int epoch, std::int64_t step) {
  drawn.clear();
  const Range owned = data.owned_lanes();
  for (std::int64_t lane = owned.first; lane < owned.last; ++lane) {
    drawn.push_back(data.draw_samples(static_cast<int>(lane), epoch, step, parallel.global_batch));
  }
  drawn_for = {epoch, step};
}

LaneSizes GpuStepper::State::sizes_in(std::int64_t step) const {
  LaneSizes sizes;
  for (int lane = 0; lane < parallel.lanes; ++lane) {
    sizes.push_back(data.lane_samples(lane, step, parallel.global_batch));
  }
  return sizes;
}

void GpuStepper::State::write_inputs(int epoch, std::int64_t step, float learning_rate) {
  if (drawn_for != std::pair(epoch, step)) draw(epoch, step);
  const std::int64_t update = replica.updates + 1;
  gpu::StepRule& rule = *StepInputs::rule(inputs.data());
  rule = {.learning_rate = learning_rate,
          .adam = adam_step(train.optimizer, learning_rate, update),
          .average_part = train.ema_decay > 0 ? average_part(train.ema_decay, update) : 0,
          .statistics_limit = formula::statistics_limit(static_cast<float>(update)),
          .clip_norm = train.clip_norm,
          .flags = {}};
  for (std::size_t flag = 0; flag < wishes.size(); ++flag) rule.flags[flag] = wishes[flag] ? 1 : 0;
  std::uint32_t* keys = layout.keys(inputs.data());
  for (const std::uint32_t layer : layers) {
    for (const std::uint32_t word : dropout_stream(seed, layer, epoch)) *keys++ = word;
  }
  for (std::size_t place = 0; place < drawn.size(); ++place) {
    gpu::Sample* to = layout.samples(inputs.data(), static_cast<std::int64_t>(place));
    std::int64_t index = 0;
    for (const DrawnSample& each : drawn[place]) {
      *to++ = to_sample(each, rows.slot_in_memory(index++, each.slot));
    }
  }
}

void GpuStepper::State::run_lanes(const LaneSizes& sizes) {
  accelerator.copy_to_device(device_base(), inputs.data(), inputs.size());
  const Range owned = data.owned_lanes();
  accelerator.fork(static_cast<int>(owned.size()), [&](int place) {
    const std::int64_t lane = owned.first + place;
    lanes[static_cast<std::size_t>(place)].run(sizes[static_cast<std::size_t>(lane)], device,
                                               sum.lane(lane));
  });
}

void GpuStepper::State::update() {
  const float* sums = sum.values().data();
  const gpu::StepRule* rule = StepInputs::rule(device_base());
  const auto blocks = static_cast<int>(squares.numel());
  launch(accelerator, gpu::kSumSquares, {static_cast<unsigned>(blocks), 1, kBlockThreads},
         gpu::Squares{.values = sums,
                      .by_block = squares.data_ptr<double>(),
                      .count = network.trainable_size()});
  launch(accelerator, gpu::kFinishSum, {1, 1, kBlockThreads},
         gpu::FinishSum{.squares = squares.const_data_ptr<double>(),
                        .tail = sums + network.changing_size(),
                        .rule = rule,
                        .facts = facts_on_device(),
                        .blocks = blocks});
  device.move(rule, facts_on_device(), sums);
  accelerator.copy_to_host(facts, facts_on_device(), sizeof(gpu::StepFacts));
}

// Records in the same steps on all ranks: a recording that moves memory between GPUs may
// be replayed with its peers' of that time alone. Libraries choose their methods and
// allocate in a first run, before it; that changes nothing but the lanes' buffers.
Recording& GpuStepper::State::recording_of(const LaneSizes& sizes) {
  const auto found = recordings.find(sizes);
  if (found != recordings.end()) return *found->second;
  run_lanes(sizes);
  accelerator.wait();
  auto recording = accelerator.record([this, sizes] {
    run_lanes(sizes);
    sum.run();
    update();
  });
  return *recordings.emplace(sizes, std::move(recording)).first->second;
}

StepSum GpuStepper::State::summed() const {
  StepSum step = read_tail(facts->tail);
  step.square_norm = facts->square_norm;
  return step;
}

void GpuStepper::State::run_step(int epoch, std::int64_t step, float learning_rate) {
  const auto begin = Clock::now();
  rows.begin_step(epoch, step);
  write_inputs(epoch, step, learning_rate);
  const double data_seconds = seconds_since(begin);
  recording_of(sizes_in(step)).replay();
  rows.end_step();
  const bool last = step + 1 == data.steps_per_epoch(parallel.global_batch);
  draw(last ? epoch + 1 : epoch, last ? 0 : step + 1);
  wait("sum over lanes");
  times.data += data_seconds;
  times.backward += seconds_since(begin) - data_seconds;
}

StepSum GpuStepper::step(int epoch, std::int64_t step, float learning_rate) {
  State& state = *state_;
  const c10::InferenceMode no_autograd;
  state.share_faults([&] { state.run_step(epoch, step, learning_rate); });
  if (state.facts->applied != 0) {
    ++state.replica.updates;
    state.replica_is_old = true;
  }
  return state.summed();
}

const Replica& GpuStepper::replica() {
  if (state_->replica_is_old) state_->device.download(state_->replica);
  state_->replica_is_old = false;
  return state_->replica;
}

std::int64_t GpuStepper::updates() const { return state_->replica.updates; }

void GpuStepper::set_replica(Replica replica) {
  const c10::InferenceMode no_autograd;
  state_->replica = std::move(replica);
  state_->device.upload(state_->replica);
  state_->replica_is_old = false;
}

void GpuStepper::raise(Flag flag) { state_->wishes[static_cast<std::size_t>(flag)] = true; }
void GpuStepper::lower(Flag flag) { state_->wishes[static_cast<std::size_t>(flag)] = false; }

NonFinite GpuStepper::find_non_finite() {
  const State& state = *state_;
  const auto on_host = [&](std::span<const float> values) {
    const at::Tensor copy =
        at::from_blob(const_cast<float*>(values.data()), {state.network.trainable_size()},
                      at::TensorOptions(at::kFloat).device(device_of(state.accelerator)))
            .cpu();
    const auto* first = copy.const_data_ptr<float>();
    return std::vector<float>(first, first + copy.numel());
  };
  return lockstep::find_non_finite(state.sum.owned_lanes(), [&](int lane) {
    return first_non_finite(
        state.network, on_host(lane == kSumOfLanes ? state.sum.values() : state.sum.lane(lane)));
  });
}

StepTimes GpuStepper::take_times() { return std::exchange(state_->times, {}); }

}  // namespace lockstep
