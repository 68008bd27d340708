// Everything that a report shows, as plain values. The app fills it in; the report
// room draws it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/eval/evaluation.h"
#include "lockstep/model/network.h"
#include "lockstep/report/thumbnail.h"

namespace lockstep {

// A line of metrics.jsonl. Values that the line lacks, or that are null, are NaN.
struct MetricsPoint {
  int epoch = 0;  // from 1
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

// Mean seconds of an optimizer step on one rank.
struct RankTimes {
  std::string host;
  double data = 0;
  double forward = 0;
  double backward = 0;
  double wait = 0;
  double sum = 0;
  double update = 0;
};

// What a run left in its folder.
struct RunRecord {
  std::string folder;   // its name, without the path
  std::string outcome;  // why the training ended; empty when not known
  std::vector<MetricsPoint> epochs;
  std::vector<MetricsPoint> steps;
  int ranks = 0;  // 0: not known
  int threads_per_rank = 0;
  std::vector<std::pair<std::string, std::string>> environment;  // name, value
  std::vector<RankTimes> times;                                  // by rank; empty: not known
};

// A validation row and what the network says of it.
struct PredictedRow {
  std::int64_t number = 0;  // row of the source, from 1
  int truth = 0;
  int predicted = 0;
  double confidence = 0;  // probability of the predicted class
  Thumbnail image;
};

// A training row: as it is, then as it was trained on in epochs 1, 2, ...
struct AugmentedRow {
  std::int64_t number = 0;  // row of the source, from 1
  int label = 0;
  std::vector<Thumbnail> images;
};

struct ReportData {
  std::string name;     // of the experiment
  std::string weights;  // which weights were evaluated: "best weights (epoch 3)"
  RunRecord run;
  Evaluation validation;
  std::vector<PredictedRow> mistakes;  // the most confident first
  std::vector<PredictedRow> showcase;  // rows chosen at random
  std::vector<AugmentedRow> samples;
  std::vector<std::int64_t> training_class_counts;    // [classes]
  std::vector<std::int64_t> validation_class_counts;  // [classes]
  ImageShape input;
  std::vector<LayerInfo> layers;
  std::string experiment;  // its text
};

}  // namespace lockstep
