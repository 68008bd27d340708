#include "app/training_needs.h"

#include <algorithm>
#include <limits>

#include "lockstep/core/share.h"
#include "lockstep/data/row_memory.h"
#include "lockstep/model/memory_need.h"
#include "lockstep/model/plan.h"
#include "lockstep/train/optimizer.h"
#include "lockstep/train/orthogonal.h"

namespace lockstep {

namespace {

// Of a pass: more than any machine holds, and no product with it leaves 64 bits.
constexpr std::int64_t kMostPassValues = std::int64_t{1} << 44;

constexpr std::int64_t kRowBytes = 20;           // of a held row: place, label, number
constexpr std::int64_t kParsedRowBytes = 44;     // label, digest, place, destination
constexpr std::int64_t kParcelRowBytes = 24;     // before a row's pixels on its way
constexpr std::int64_t kPairBytes = 40;          // of classes, in the report
constexpr std::int64_t kHeaderBytes = 32 << 10;  // of a checkpoint's files
constexpr std::int64_t kLineBytes = 1024;        // of metrics.jsonl, and its events

std::int64_t moments_of(const Experiment& experiment) {
  return static_cast<std::int64_t>(buffer_names(experiment.train.optimizer).size());
}

// What each worker may need to make a matrix orthogonal.
std::int64_t orthogonalizing_bytes(const Experiment& experiment, const Network& network) {
  std::int64_t floats = 0;
  for (const UpdatePart& part : update_parts(network, experiment.train)) {
    if (part.as != UpdatePart::As::kMatrix) continue;
    const std::int64_t matrix = part.rows * part.columns;
    floats = std::max(floats, matrix + orthogonalizing_floats(part.rows, part.columns));
  }
  return floats * std::int64_t{sizeof(float)};
}

bool averages(const Experiment& experiment) { return experiment.train.ema_decay > 0; }

// Values of the largest input or output of an op, a sample.
std::int64_t widest(const Network& network) {
  std::int64_t values = network.input().pixels();
  for (const Op& op : network.plan())
    values = std::max<std::int64_t>(values, op.out.shape.pixels());
  return values;
}

std::int64_t rows_held(const Communicator& comm, const SourceSurvey& source,
                       const SplitSizes& split, std::int64_t lanes, std::int64_t own_lanes,
                       std::int64_t pixels) {
  if (comm.world_size() == 1) {
    return source.rows * (pixels + kRowBytes) + split.validation * pixels;
  }
  const std::int64_t rows = split.training * own_lanes / lanes;
  return (rows + split.validation / comm.world_size()) * (pixels + kRowBytes);
}

// Whether rows that do not fit into memory stay in a file.
bool may_stay_in_file(const Experiment& experiment, const SourceSurvey& source) {
  return experiment.data.cache != kNoCache || source.format == "rows";
}

std::int64_t loading_bytes(const Communicator& comm, const SourceSurvey& source, std::int64_t held,
                           std::int64_t pixels) {
  const std::int64_t ranks = comm.world_size();
  const auto bytes = static_cast<std::int64_t>(source.bytes);
  const auto packed = static_cast<std::int64_t>(source.packed_bytes);
  const bool inflates = packed > 0 && comm.rank() == comm.sharing_ranks().front();
  const std::int64_t rows = source.rows / ranks;
  const std::int64_t parsed = rows * (pixels + kParsedRowBytes);
  const std::int64_t moved = rows - rows / ranks;
  const std::int64_t parsing =
      std::max(inflates ? bytes + packed : 0, (inflates ? bytes : bytes / ranks) + parsed);
  const std::int64_t copied = ranks == 1 ? held - source.rows * pixels : held;
  return std::max(parsing, parsed + copied + 2 * moved * (pixels + kParcelRowBytes));
}

// The matrix of all pairs of classes, its texts and pictures beside what any report takes.
std::int64_t report_bytes(std::int64_t classes) {
  return kReportMemoryBytes + classes * classes * kPairBytes;
}

}  // namespace

std::int64_t least_bytes(const Experiment& experiment, const Network& network) {
  const std::int64_t classes = experiment.data.classes;
  const std::int64_t flat = network.total_size() * std::int64_t{sizeof(float)};
  return flat * 2 +
         moments_of(experiment) * network.trainable_size() * std::int64_t{sizeof(float)} +
         classes * classes * std::int64_t{sizeof(std::int64_t)};
}

std::int64_t MemoryNeed::peak() const { return program + std::max(loading, training()); }

MemoryNeed memory_need(const Communicator& comm, const Experiment& experiment,
                       const Network& network, const SourceSurvey& source, const SplitSizes& split,
                       int workers, std::int64_t program, std::int64_t sums) {
  const std::int64_t lanes = experiment.parallel.lanes;
  const std::int64_t own = share_of(lanes, comm.world_size(), comm.rank()).size();
  const std::int64_t row_bytes =
      experiment.data.shape.pixels() * static_cast<std::int64_t>(bytes_of(source.pixel_type));
  const Precision precision = experiment.parallel.precision;
  const std::int64_t flat = network.total_size() * std::int64_t{sizeof(float)};
  const std::int64_t wanted = (experiment.parallel.global_batch + lanes - 1) / lanes;
  // A batch has no more rows than there are.
  const std::int64_t lane_samples =
      std::min({wanted, (split.training + lanes - 1) / lanes, kMostPassValues / widest(network)});
  MemoryNeed need;
  need.program = program;
  need.rows = rows_held(comm, source, split, lanes, own, row_bytes);
  need.weights = flat + (precision == Precision::kBf16 ? flat / 2 : 0) +
                 (averages(experiment) ? flat : 0) +
                 moments_of(experiment) * network.trainable_size() * std::int64_t{sizeof(float)};
  need.sums = sums;
  const auto trainers = std::min<std::int64_t>(workers, own);
  need.passes = trainers * passes_bytes(network, precision, lane_samples, kChunkRows) +
                (workers - trainers) * passes_bytes(network, precision, 0, kChunkRows) +
                workers * orthogonalizing_bytes(experiment, network);
  const bool first_here = comm.rank() == comm.sharing_ranks().front();
  // Those in memory: what is to be written, what is read back, and two in the folder.
  const bool in_memory = first_here && experiment.checkpoint.in_memory_every_steps > 0;
  const std::int64_t copies = (comm.rank() == 0 ? 4 : 2) + (in_memory ? 4 : 0);
  need.saving = copies * checkpoint_bytes(experiment, network) + flat;
  need.report = comm.rank() == 0 ? report_bytes(experiment.data.classes) : 0;
  need.loading = loading_bytes(comm, source, need.rows, row_bytes);
  const auto fitting = static_cast<std::int64_t>(
      std::min<std::uint64_t>(memory_for_rows(comm), std::numeric_limits<std::int64_t>::max() / 4));
  if (need.rows > fitting && may_stay_in_file(experiment, source)) {
    need.rows = rows_held(comm, source, split, lanes, own, 0) + fitting;
    need.loading = need.rows + source.rows / comm.world_size() * kParsedRowBytes;
  }
  return need;
}

std::int64_t checkpoint_bytes(const Experiment& experiment, const Network& network) {
  const std::int64_t weights = network.parameter_count() * std::int64_t{sizeof(float)};
  const std::int64_t trained = network.trainable_parameter_count() * std::int64_t{sizeof(float)};
  return weights * (averages(experiment) ? 3 : 2) + trained * moments_of(experiment) + kHeaderBytes;
}

std::int64_t run_folder_bytes(const Experiment& experiment, const Network& network,
                              std::int64_t steps) {
  const std::int64_t checkpoints = experiment.checkpoint.keep_last + 2;
  const std::int64_t lines = steps / experiment.train.log_every_steps + experiment.train.epochs;
  return checkpoints * checkpoint_bytes(experiment, network) + kReportBytes + lines * kLineBytes;
}

}  // namespace lockstep
