// The names in a run folder; those within checkpoints/ are in checkpoint_folder.h and
// run_state.h. launcher/run_files.py has the same for the launcher.
#pragma once

#include <array>

namespace lockstep {

// What was run, and where.
inline constexpr const char* kExperimentFile = "experiment.textproto";
inline constexpr const char* kEnvironmentFile = "environment.json";
inline constexpr const char* kInitialWeightsFile = "initial_weights.txt";
inline constexpr const char* kMemoryIdFile = "memory_id";  // see memory_checkpoints.h

// While it runs.
inline constexpr const char* kLockFile = "lock";
inline constexpr const char* kStatusFile = "status.json";
inline constexpr const char* kMetricsFile = "metrics.jsonl";
inline constexpr const char* kLogsFolder = "logs";
inline constexpr const char* kRankLogBeginning = "rank-";  // and the rank, ".log"
inline constexpr const char* kTensorboardFolder = "tensorboard";
inline constexpr const char* kEventsBeginning = "events.out.tfevents.";

// At its end.
inline constexpr const char* kTimesFile = "times.json";
inline constexpr const char* kEvaluationFile = "evaluation.json";
inline constexpr const char* kClassificationFile = "classification_report.txt";
inline constexpr const char* kReportPage = "report.html";
inline constexpr const char* kCurvesSvg = "curves.svg";
inline constexpr const char* kCurvesPng = "curves.png";
inline constexpr const char* kConfusionSvg = "confusion_matrix.svg";
inline constexpr const char* kConfusionPng = "confusion_matrix.png";
inline constexpr const char* kMisclassifiedPng = "misclassified.png";
inline constexpr const char* kPredictionsPng = "predictions.png";
inline constexpr const char* kSamplesPng = "samples.png";

// All of these that are files, but for the lock.
inline constexpr std::array kFilesOfARun = {
    kExperimentFile,     kEnvironmentFile,    kStatusFile,     kMetricsFile, kTimesFile,
    kEvaluationFile,     kClassificationFile, kReportPage,     kCurvesSvg,   kCurvesPng,
    kConfusionSvg,       kConfusionPng,       kPredictionsPng, kSamplesPng,  kMisclassifiedPng,
    kInitialWeightsFile, kMemoryIdFile,
};

// What the launcher adds, some of it before the training begins.
inline constexpr const char* kOutcomeFile = "outcome.json";
inline constexpr const char* kOutputFile = "output.log";
inline constexpr const char* kCancelledFile = "cancelled";
inline constexpr const char* kWatchedFile = "watched";
inline constexpr const char* kSlurmBeginning = "slurm";

}  // namespace lockstep
