// Everything that a report shows, as plain values. The app fills it in; the report
// room draws it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/eval/evaluation.h"
#include "lockstep/model/network.h"
#include "lockstep/pictures/picture.h"
#include "lockstep/run/run_record.h"

namespace lockstep {

// A validation row and what the network says of it.
struct PredictedRow {
  std::int64_t number = 0;  // row of the source, from 1
  int truth = 0;
  int predicted = 0;
  double confidence = 0;  // probability of the predicted class
  Picture image;
};

// A training row: as it is, then as it was trained on in epochs 1, 2, ...
struct AugmentedRow {
  std::int64_t number = 0;  // row of the source, from 1
  int label = 0;
  std::vector<Picture> images;
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
