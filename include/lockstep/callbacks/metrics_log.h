// Writes metrics.jsonl in the run folder: a JSON object a line, of kind "step" or
// "epoch". Epoch numbers in it count from 1; numbers that are not finite are null.
// A line is in the file when the hook that wrote it returns, so it outlives the
// process. Where a write fails (a full disk), a line goes to the log, and what was
// not written is tried again with the next line. A file that cannot be opened is an
// Error (1). A run without a folder writes nothing.
//
// When a run begins, or goes back to a checkpoint, lines that it will write again are
// cut off first: those of steps or epochs that the run state does not hold, and a
// line that was cut short.
//
// Owned by the training loop, called on rank 0. Local.
#pragma once

#include <string>

#include "lockstep/callbacks/growing_file.h"
#include "lockstep/train/callback.h"

namespace lockstep {

class MetricsLog : public Callback {
 public:
  // Steps are logged whose number is a multiple of `every_steps`; 0: none.
  explicit MetricsLog(int every_steps) : every_steps_(every_steps) {}

  void on_run_begin(const RunEvent& event) override;
  void on_step(const StepEvent& event) override;
  Directive on_epoch_end(const EpochEvent& event) override;

  std::string name() const override { return "metrics_log"; }

 private:
  void append(const std::string& line);

  int every_steps_;
  bool open_ = false;  // a run without a folder has no file
  GrowingFile file_;
};

}  // namespace lockstep
