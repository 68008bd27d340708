#include "lockstep/callbacks/monitored_metric.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "lockstep/core/error.h"

namespace lockstep {

MonitoredMetric::MonitoredMetric(Metric metric, double min_delta)
    : metric_(metric), min_delta_(min_delta) {}

MonitoredMetric::MonitoredMetric(const BestCheckpointOptions& best)
    : MonitoredMetric(best.monitor, best.last ? -std::numeric_limits<double>::infinity() : 0) {}

bool MonitoredMetric::update(const EpochEvent& event) {
  const bool less_is_better = metric_ == Metric::kValLoss;
  const double value = less_is_better ? event.val_loss : event.val_accuracy;
  bool improved = std::isfinite(value);
  if (improved && best_) {
    improved = less_is_better ? value < *best_ - min_delta_ : value > *best_ + min_delta_;
  }
  if (!improved) {
    ++count_;
    return false;
  }
  best_ = value;
  best_epoch_ = event.epoch;
  count_ = 0;
  return true;
}

std::string MonitoredMetric::name() const {
  return metric_ == Metric::kValLoss ? "val_loss" : "val_accuracy";
}

std::string MonitoredMetric::save() const {
  nlohmann::ordered_json state;
  state["best"] = nullptr;
  if (best_) state["best"] = *best_;
  state["best_epoch"] = best_epoch_;
  state["epochs_without_improvement"] = count_;
  return state.dump();
}

void MonitoredMetric::load(const std::string& state, const std::string& owner) {
  try {
    const auto json = nlohmann::json::parse(state);
    const auto& best = json.at("best");
    best_ = best.is_null() ? std::nullopt : std::optional(best.get<double>());
    best_epoch_ = json.at("best_epoch").get<int>();
    count_ = json.at("epochs_without_improvement").get<int>();
  } catch (const nlohmann::json::exception&) {
    fail_usage(
        "state of {}: \"{}\"; expected a JSON object with best, best_epoch and "
        "epochs_without_improvement",
        owner, state);
  }
}

}  // namespace lockstep
