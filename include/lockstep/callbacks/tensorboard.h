// Writes the course of a training to tensorboard/ in the run folder, an event file a
// process. Tags: "step/..." at every logged step and "epoch/..." at the ends of epochs,
// each by optimizer steps done; "experiment", the experiment's text. Values of the
// validation are left out in a run without validation rows. When a run goes on from a
// checkpoint, what was told of later steps is taken back. A run without a folder writes
// nothing.
//
// Owned by the training loop, called on rank 0. Local.
#pragma once

#include <memory>
#include <string>

#include "lockstep/callbacks/event_file.h"
#include "lockstep/train/callback.h"

namespace lockstep {

class TensorBoard : public Callback {
 public:
  // Steps are logged whose number is a multiple of `every_steps`; 0: none.
  explicit TensorBoard(int every_steps) : every_steps_(every_steps) {}

  void on_run_begin(const RunEvent& event) override;
  void on_step(const StepEvent& event) override;
  Directive on_epoch_end(const EpochEvent& event) override;

  std::string name() const override { return "tensorboard"; }

 private:
  int every_steps_;
  std::unique_ptr<EventFile> file_;
};

}  // namespace lockstep
