// How much memory and disk a training takes, from the layouts of what it keeps. Plain
// values; local.
//
// Memory of a rank, in bytes. P is the pixels of a row, N rows in the source of which T
// are for training and U for validation, W ranks, V lanes of which this rank computes L
// with w workers, S the floats of the flat weights, s the trainable ones and C those that
// change, B the global batch.
//   rows       one rank: N P where they were parsed, U P a copy of the validation rows;
//              several: T P L / V + U P / W; with each row's label, number and place
//   weights    4 S, with bf16 2 S more, with a moving average 4 S more; 4 s a moment
//   sums       4 C for each own lane, on a node's first rank 4 C for their sum, and between
//              nodes what they send and get (parallel/lane_sum.h)
//   passes     min(w, L) training passes of ceil(min(B, T) / V) samples and w of inference on
//              128 (model/memory_need.h); with Muon w times what its largest matrix takes
//              (train/orthogonal.h)
//   saving     copies of a checkpoint, 4 on rank 0, which writes it, and 2 elsewhere;
//              4 S for the best weights
//   report     on rank 0 what drawing its pictures takes, kReportMemoryBytes, and 40 bytes a
//              pair of classes
//   loading    before all that: the source as far as this rank touches it (the first
//              rank of a node inflates a zip or gzip file), its share of the rows with
//              their digests and places, and between ranks the parcels sent and got
// The peak is the program itself and the larger of `loading` and the rest.
#pragma once

#include <cstdint>

#include "lockstep/comm/communicator.h"
#include "lockstep/config/experiment.h"
#include "lockstep/data/survey.h"
#include "lockstep/model/network.h"

namespace lockstep {

struct MemoryNeed {
  std::int64_t program = 0;
  std::int64_t rows = 0;
  std::int64_t weights = 0;
  std::int64_t sums = 0;
  std::int64_t passes = 0;
  std::int64_t saving = 0;
  std::int64_t report = 0;
  std::int64_t loading = 0;

  std::int64_t training() const { return rows + weights + sums + passes + saving + report; }
  std::int64_t peak() const;
};

// Of this rank; `program` is what the process takes already, and `sums` lane_sum_bytes().
MemoryNeed memory_need(const Communicator& comm, const Experiment& experiment,
                       const Network& network, const SourceSurvey& source, const SplitSizes& split,
                       int workers, std::int64_t program, std::int64_t sums);

// Without the rows and the passes: what no training can do without.
std::int64_t least_bytes(const Experiment& experiment, const Network& network);

// Of a checkpoint on disk at its largest: weights, moments, best weights, and with a
// moving average the weights in training.
std::int64_t checkpoint_bytes(const Experiment& experiment, const Network& network);

// Of a run folder at its largest: checkpoint.keep_last of them, the best one and the one
// being written, kReportBytes, and the lines of metrics.jsonl with their events.
std::int64_t run_folder_bytes(const Experiment& experiment, const Network& network,
                              std::int64_t steps);

inline constexpr std::int64_t kReportBytes = 4 << 20;
inline constexpr std::int64_t kReportMemoryBytes = 24 << 20;

}  // namespace lockstep
