// The lines of metrics.jsonl, a JSON object each: how they are written and how they are
// read. Epochs in them count from 1; numbers that are not finite are null. Local.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/train/callback.h"

namespace lockstep {

// Values that the line lacks, or that are null, are NaN.
struct MetricsPoint {
  std::string kind;  // "step" or "epoch"
  int epoch = 0;     // from 1
  std::int64_t step = 0;
  double train_loss = 0;
  double train_accuracy = 0;
  double val_loss = 0;
  double val_accuracy = 0;
  double learning_rate = 0;
  double images_per_second = 0;
  double seconds = 0;
  std::string weights_digest;  // in hex; empty where the line has none
};

// Without the end of the line.
std::string metrics_line(const StepEvent& event);
std::string metrics_line(const EpochEvent& event);

// Nothing for a text that is no such line: no object, or without kind, epoch or step.
std::optional<MetricsPoint> read_metrics_line(const std::string& line);

// The lines of a run folder, those of other kinds passed over; none without the file.
std::vector<MetricsPoint> read_metrics(const std::filesystem::path& run_dir);

}  // namespace lockstep
