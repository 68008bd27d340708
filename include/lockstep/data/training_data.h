// The labelled rows of an experiment, dealt to validation and lanes.
//
// The deal (the same at every world size): row k of its class in file order is at
// place p_c(k), p_c a keyed permutation of the class. Places below the class's
// validation count go to validation. The others, classes one after the other in
// place order, are training positions t = 0, 1, ...; row t belongs to lane
// t mod V, slot t / V. So lane v has ceil((N - v) / V) rows.
//
// The order of lane v in epoch e is a permutation of its slots keyed by
// (seed, v, e). Global position p of an epoch belongs to lane p mod V, place
// p / V of its order; step s takes positions [s B, min((s + 1) B, N)). So each
// training row is used exactly once an epoch and every step but the last has
// exactly B samples.
//
// Where the source itself tells validation or test rows, or validation rows have a source of
// their own, that holds: the others are all dealt to training, validation rows are in the
// sources' order.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lockstep/comm/communicator.h"
#include "lockstep/core/batch.h"
#include "lockstep/core/digest.h"
#include "lockstep/core/share.h"
#include "lockstep/data/drawn_sample.h"
#include "lockstep/data/normalization.h"
#include "lockstep/data/options.h"
#include "lockstep/data/pixel_values.h"
#include "lockstep/data/row_share.h"

namespace lockstep {

// What is the same on every rank.
struct DataSummary {
  std::int64_t training_rows = 0;
  std::int64_t validation_rows = 0;
  std::vector<std::int64_t> training_class_counts;    // [classes]
  std::vector<std::int64_t> validation_class_counts;  // [classes]
  Digest digest;  // of all labelled rows (number, label, pixels) and the image shape
  Normalization normalization;
  std::string layout_doubt;  // why the pixels may be laid out otherwise; mostly empty
  std::string found;         // what was found out about the source, for one line; may be empty
};

// A training row as it stands in the source, for the eye.
struct TrainingRow {
  std::uint64_t number = 0;  // from 0
  std::int32_t label = 0;
  std::vector<std::uint8_t> levels;  // [shape.pixels()], see levels_of()
};

struct FileRows;
struct FormRule;
class MappedRows;
class Permutation;
class StepsAhead;

class TrainingData {
 public:
  // Collective: reads options.train, deals, and sends each row to the rank that
  // owns its lane: rank r owns lanes share_of(lanes, world_size, r). Rows of a file of rows that
  // do not fit into memory stay there, and are read ahead of the steps. Errors (2,
  // agreed) name file, line and column.
  TrainingData(Communicator& comm, const DataOptions& options, int lanes, std::uint64_t seed);
  virtual ~TrainingData();
  TrainingData(TrainingData&& other) noexcept;

  // Local, below; const and safe from any thread.
  const DataSummary& summary() const { return summary_; }
  const RowShare& validation() const { return validation_; }
  Range owned_lanes() const { return owned_; }
  std::int64_t steps_per_epoch(int global_batch) const;
  bool augments() const { return options_.augmentation.any(); }
  const ImageShape& shape() const { return options_.shape; }
  // Those given, with what was found out in place of what was left open.
  const DataOptions& options() const { return options_; }
  PixelType pixel_type() const { return type_; }
  // The pixel that images are erased to, [shape.channels]: the mean of the training rows. Empty
  // where nothing needs it.
  const std::vector<float>& mean_pixel() const { return mean_; }

  // How many samples any lane, owned or not, has in step `step` of an epoch, from 0.
  std::int64_t lane_samples(int lane, std::int64_t step, int global_batch) const;

  // The samples of owned lane `lane` in step `step` of `epoch`, both from 0. A pure
  // function: it does not depend on who calls, or when.
  std::vector<DrawnSample> draw_samples(int lane, int epoch, std::int64_t step,
                                        int global_batch) const;

  // The same with their images, augmented, normalized and mixed.
  virtual void fill_batch(int lane, int epoch, std::int64_t step, int global_batch,
                          Batch& batch) const;

  // The pixels of those samples' rows as they are: [samples, shape.pixels()] of pixel_type() at the
  // beginning of `to`.
  void copy_pixels(int lane, int epoch, std::int64_t step, int global_batch,
                   std::span<std::byte> to) const;

  // Rows of owned lane `lane`, by class in a stratified split, and one of them.
  std::int64_t lane_size(int lane) const;
  TrainingRow lane_row(int lane, std::int64_t slot) const;
  // The values of its pixels, [shape.pixels()].
  PixelView lane_pixels(int lane, std::int64_t slot) const;
  // The levels of a row as trained on in `epoch` (from 0).
  std::vector<std::uint8_t> augmented(int lane, std::int64_t slot, int epoch,
                                      int global_batch) const;

 private:
  struct LaneRows;

  const LaneRows& rows_of(int lane) const;
  // Of the lane's order, those that a step takes; and the slots of these.
  Range lane_places(int lane, std::int64_t step, int global_batch) const;
  Permutation order_of(int lane, int epoch) const;
  std::vector<std::uint64_t> slots_of_step(int lane, int epoch, std::int64_t step,
                                           int global_batch) const;
  std::int64_t step_of(int lane, std::int64_t slot, int epoch, int global_batch) const;
  DrawnSample draw_sample(int lane, std::uint64_t slot, int epoch) const;
  FormRule form_rule() const;
  void mix_batch(std::span<const DrawnSample> samples, Batch& batch) const;
  void expect_rows(int lane, int epoch, std::int64_t step, int global_batch) const;

  // Collective, for the constructor.
  void make_room(const Communicator& comm, const FileRows& rows, const FileRows& validation);
  void keep_rows(Communicator& comm, FileRows rows, std::span<const std::int64_t> places,
                 const MappedRows* mapped);

  DataOptions options_;
  PixelType type_ = PixelType::kByte;
  int lanes_;
  std::uint64_t seed_;
  Range owned_;
  DataSummary summary_;
  std::vector<float> mean_;
  RowShare validation_;
  std::vector<LaneRows> lane_rows_;           // of owned lanes, by lane - owned_.first
  std::shared_ptr<const MappedRows> mapped_;  // where the lanes' rows are, or null
  std::unique_ptr<StepsAhead> ahead_;
};

}  // namespace lockstep
