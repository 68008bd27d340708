// What a person sees of a run: a line on the data, a table with a row for each
// epoch (the best so far marked with *), and how far the epoch is: on a terminal
// one live line, drawn at most 10 times a second, elsewhere a line at most every
// 10 s. Times are those of the events, so the text is a function of them.
//
// Owned by the training loop, called on rank 0. Local. Failed writes are ignored.
#pragma once

#include <limits>
#include <optional>
#include <string>

#include "lockstep/callbacks/monitored_metric.h"
#include "lockstep/callbacks/options.h"
#include "lockstep/callbacks/progress_output.h"
#include "lockstep/callbacks/time_left.h"
#include "lockstep/train/callback.h"

namespace lockstep {

class Progress : public Callback {
 public:
  // `best` says which epoch is marked.
  Progress(const ProgressOutput& output, const BestCheckpointOptions& best);

  void on_run_begin(const RunEvent& event) override;
  void on_step(const StepEvent& event) override;
  Directive on_epoch_end(const EpochEvent& event) override;
  void on_run_end(const EndEvent& event) override;

  std::string name() const override { return "progress"; }
  std::string save_state() const override { return metric_.save(); }
  void load_state(const std::string& state) override { metric_.load(state, name()); }

 private:
  bool live() const { return output_.style != ProgressStyle::kPlain; }
  int columns() const;
  std::string live_line(const StepEvent& event, const std::optional<double>& seconds_left) const;
  std::string step_line(const StepEvent& event, const std::optional<double>& seconds_left) const;
  void print_line(const std::string& line);  // in place of the live line
  void draw(const std::string& line) const;  // the live line

  ProgressOutput output_;
  MonitoredMetric metric_;
  RunEvent run_;
  TimeLeft time_left_;
  Straggler straggler_{.rank = -1};  // the last one named; again only when it is another
  double shown_at_seconds_ = -std::numeric_limits<double>::infinity();
};

}  // namespace lockstep
