// The rows of a rank's lanes in the device's memory: all of them, or those of the steps to come.
// Owned by the stepper.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "gpu/row_stream.h"
#include "lockstep/data/training_data.h"
#include "lockstep/gpu/row_residence.h"

namespace lockstep {

class DeviceRows {
 public:
  // `data` must outlive it; steps are those of `global_batch`, with at most `most_samples` a lane.
  DeviceRows(Accelerator& accelerator, const TrainingData& data, int global_batch,
             std::int64_t most_samples);

  RowResidence residence() const;

  // Memory of the device from which slots of the lane at `place` among the owned ones count; the
  // same at all times.
  const void* lane(std::int64_t place) const;

  // Between the two, work may be enqueued that reads the rows of the step.
  void begin_step(int epoch, std::int64_t step);
  void end_step();

  // Where the row of a sample of that step lies, the sample being `index` in its lane, its row
  // `slot` among the lane's.
  std::int64_t slot_in_memory(std::int64_t index, std::int64_t slot) const;

 private:
  void make_resident(Accelerator& accelerator, const TrainingData& data);
  void make_stream(Accelerator& accelerator, const TrainingData& data, int global_batch);

  std::int64_t row_bytes_;
  std::int64_t lanes_;                // owned ones
  std::int64_t most_samples_;         // of a lane in a step
  std::int64_t steps_;                // of an epoch
  std::vector<at::Tensor> resident_;  // bytes [slots, row_bytes_], by owned lane; or none, and
  at::Tensor streamed_;  // bytes [RowStream::kPlaces, lanes_, most_samples_, row_bytes_]
  std::unique_ptr<RowStream> stream_;
  int place_ = 0;  // of the step's rows
};

}  // namespace lockstep
