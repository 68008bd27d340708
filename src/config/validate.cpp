#include "config/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/fields_of_training.h"
#include "lockstep/core/error.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

template <typename Value>
[[noreturn]] void fail(const std::string& path, const Value& value, std::string_view right) {
  fail_usage("{} is {}; expected {}", path, value, right);
}

void check_name(const std::string& name) {
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  const auto allowed = [&](char c) { return alphanumeric(c) || c == '.' || c == '_' || c == '-'; };
  constexpr std::size_t kMostLetters = 200;  // of a file system's 255; the folder's name has more
  if (name.size() > kMostLetters) {
    fail("name", fmt::format("{} letters long", name.size()),
         fmt::format("at most {}", kMostLetters));
  }
  if (!name.empty() && alphanumeric(name[0]) && std::all_of(name.begin(), name.end(), allowed)) {
    return;
  }
  fail("name", fmt::format("\"{}\"", name),
       "a folder name of letters, digits, '.', '_' and '-' that begins with a letter or digit");
}

void check_source(const std::string& path, const SourceOptions& source) {
  if (source.path.empty() && !(source.member.empty() && source.labels.empty())) {
    fail(path + ".path", "empty", "a file, since its member or labels are given");
  }
}

void check_distinct(const std::string& path, const char* what,
                    const std::vector<std::string>& texts) {
  std::set<std::string> seen;
  for (const std::string& text : texts) {
    if (!seen.insert(text).second) {
      fail_usage("{} holds \"{}\" twice; expected distinct {}", path, text, what);
    }
  }
}

void check_class_names(const DataOptions& data) {
  const std::size_t count = data.class_names.size();
  if (count == 0) return;
  if (count != static_cast<std::size_t>(data.classes)) {
    fail_usage("data.class_names has {}; expected none, or data.classes = {}",
               count_of(count, "name"), data.classes);
  }
  for (const std::string& name : data.class_names) {
    if (name.empty()) fail("data.class_names", "in part empty", "a name for every class");
  }
  check_distinct("data.class_names", "names", data.class_names);
}

void check_labels(const DataOptions& data, Check check) {
  if (!data.labels.empty() && data.labels.size() != static_cast<std::size_t>(data.classes)) {
    fail_usage("data.labels has {}; expected none, or data.classes = {}",
               count_of(data.labels.size(), "label"), data.classes);
  }
  if (check != Check::kKept) check_distinct("data.labels", "labels", data.labels);
  for (const std::string& pair : data.relabel) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == pair.size()) {
      fail("data.relabel", fmt::format("\"{}\"", pair), "FROM=TO");
    }
  }
  const std::string& separator = data.csv.separator;
  if (!separator.empty() && separator != "," && separator != ";" && separator != "\t" &&
      separator != " ") {
    fail("data.csv.separator", fmt::format("\"{}\"", separator),
         "\",\", \";\", a tab, a blank, or nothing");
  }
  const ValueRange& range = data.range;
  if (!range.given() && range != ValueRange()) {
    fail("data.range.highest", range.highest, fmt::format("above the lowest, {}", range.lowest));
  }
}

void check_classes(int classes) {
  if (classes != 0 && classes < kFewestClasses) {
    fail("data.classes", classes, fmt::format("at least {}", kFewestClasses));
  }
}

void check_shifts(int pixels, int shorter_side) {
  if (pixels >= 0 && pixels < shorter_side) return;
  fail("evaluation.average_shifts", pixels,
       fmt::format("at least 0 and below the image's shorter side, {}", shorter_side));
}

void check_augmentation(const AugmentationOptions& augmentation, int shorter_side) {
  const auto check_pixels = [&](const char* name, float pixels) {
    if (pixels >= 0 && pixels < static_cast<float>(shorter_side)) return;
    fail(fmt::format("data.augmentation.{}", name), pixels,
         fmt::format("at least 0 and below the image's shorter side, {}", shorter_side));
  };
  check_pixels("translation_pixels", augmentation.translation_pixels);
  check_pixels("crop_padding_pixels", static_cast<float>(augmentation.crop_padding_pixels));
  if (!augmentation.erase) return;
  const EraseOptions& erase = *augmentation.erase;
  if (erase.largest_area < erase.smallest_area) {
    fail("data.augmentation.erase.largest_area", erase.largest_area,
         fmt::format("at least the smallest, {}", erase.smallest_area));
  }
}

void check_data(const DataOptions& data, Check check) {
  if (data.train.path.empty() && check != Check::kWithoutData) {
    fail("data.train.path", "empty", "the file of the labelled rows");
  }
  check_source("data.train", data.train);
  check_source("data.test", data.test);
  check_source("data.validation.source", data.validation.source);
  check_classes(data.classes);
  check_labels(data, check);
  if (data.label_column.empty()) fail("data.label_column", "empty", "a column's name");
  check_class_names(data);
  check_augmentation(data.augmentation, std::min(data.shape.height, data.shape.width));
}

void check_groups(const TrainOptions& train) {
  const bool decays = std::visit(
      [](const auto& each) {
        return requires { each.weight_decay; };
      },
      train.optimizer);
  for (std::size_t i = 0; i < train.groups.size(); ++i) {
    const ParameterGroup& group = train.groups[i];
    const std::string path = fmt::format("optimizer.group[{}]", i);
    if (group.layers.empty()) fail(path + ".layers", "empty", "names of layers or parameters");
    if (group.decay_factor != 1 && !decays) {
      fail(path + ".decay_factor", group.decay_factor,
           "1, since adam has no weight decay; adamw has");
    }
  }
}

void check_milestones(const StepSchedule& step) {
  if ((step.every_epochs > 0) != step.milestones.empty()) {
    fail_usage("schedule.step has {} every_epochs and milestones; expected one of them",
               step.every_epochs > 0 ? "both" : "neither of");
  }
  double before = 0;
  for (std::size_t i = 0; i < step.milestones.size(); ++i) {
    const double milestone = step.milestones[i];
    if (!(milestone > before && std::isfinite(milestone))) {
      fail(fmt::format("schedule.step.milestones[{}]", i), milestone,
           fmt::format("an epoch above {}", before));
    }
    before = milestone;
  }
}

void check_schedule(const TrainOptions& train) {
  const auto check_warmup = [&]<class Schedule>(const Schedule& schedule) {
    if constexpr (requires { schedule.warmup_epochs; }) {
      if (schedule.warmup_epochs >= 0 && schedule.warmup_epochs <= train.epochs) return;
      fail(fmt::format("schedule.{}.warmup_epochs", kChoice<Schedule>.name), schedule.warmup_epochs,
           fmt::format("from 0 to training.epochs = {}", train.epochs));
    }
  };
  std::visit(check_warmup, train.schedule);
  if (const auto* step = std::get_if<StepSchedule>(&train.schedule)) check_milestones(*step);
}

void check_training(const ParallelOptions& parallel, const TrainOptions& train) {
  if (parallel.global_batch < parallel.lanes) {
    fail_usage(
        "training.global_batch = {} is smaller than training.lanes = {}; expected at least one "
        "sample a lane",
        parallel.global_batch, parallel.lanes);
  }
  if (parallel.wire == Wire::kBf16 && parallel.reduction == Reduction::kNative) {
    fail("training.wire", "BF16", "FP32, since training.reduction is NATIVE");
  }
  if (train.balance_classes && !train.class_weights.empty()) {
    fail("training.balance_classes", "true", "false, since training.class_weights are given");
  }
  const auto* sgd = std::get_if<SgdOptions>(&train.optimizer);
  if (sgd != nullptr && sgd->nesterov && sgd->momentum == 0) {
    fail("optimizer.sgd.momentum", sgd->momentum, "above 0, since nesterov is true");
  }
  check_groups(train);
  check_schedule(train);
}

// What has to do with the number of classes, or with two sections.
void check_classes_and_lanes(const Experiment& experiment) {
  const int classes = experiment.data.classes;  // 0: they are to be counted
  const std::size_t weights = experiment.train.class_weights.size();
  if (classes != 0 && weights != 0 && weights != static_cast<std::size_t>(classes)) {
    fail_usage("training.class_weights has {}; expected none, or data.classes = {}",
               count_of(weights, "number"), classes);
  }
  if (classes != 0 && experiment.evaluation.top_k >= classes) {
    fail("evaluation.top_k", experiment.evaluation.top_k,
         fmt::format("below data.classes = {}", classes));
  }
  const int global_batch = experiment.parallel.global_batch;
  const int lanes = experiment.parallel.lanes;
  if (experiment.data.augmentation.mixes() && global_batch < 2 * lanes) {
    fail("training.global_batch", global_batch,
         fmt::format("at least 2 x training.lanes = {}, since samples of a lane are mixed",
                     2 * lanes));
  }
}

void check_initialize(const InitializeOptions& initialize) {
  if (initialize.path.empty() &&
      !(initialize.rename.empty() && initialize.skip.empty() && initialize.map == NameMap::kNone)) {
    fail("initialize.path", "empty", "a file, since rename, map or skip say how it is read");
  }
  for (std::size_t i = 0; i < initialize.rename.size(); ++i) {
    const auto& [from, to] = initialize.rename[i];
    const std::string path = fmt::format("initialize.rename[{}]", i);
    if (from.empty()) fail(path + ".from", "empty", "a tensor's name, or a pattern of names");
    if (std::count(to.begin(), to.end(), '*') > std::count(from.begin(), from.end(), '*')) {
      fail(path + ".to", fmt::format("\"{}\"", to),
           fmt::format("no more stars than in from, \"{}\"", from));
    }
  }
}

void check_callbacks(const CallbackOptions& callbacks, double validation_fraction) {
  if ((callbacks.early_stopping || callbacks.reduce_on_plateau) && validation_fraction == 0) {
    fail("data.validation.fraction", validation_fraction,
         fmt::format("above 0, since callbacks.{} watches the validation rows",
                     callbacks.early_stopping ? "early_stopping" : "reduce_on_plateau"));
  }
}

}  // namespace

int told_classes(const Experiment& experiment) {
  const DataOptions& data = experiment.data;
  if (data.classes != 0) return data.classes;
  const std::vector<LayerOptions>& layers = experiment.model.layers;
  const auto* dense = layers.empty() ? nullptr : std::get_if<DenseOptions>(&layers.back());
  if (dense != nullptr) return dense->units;
  return static_cast<int>(data.labels.empty() ? data.class_names.size() : data.labels.size());
}

void validate(const Experiment& experiment, Check check) {
  check_name(experiment.name);
  check_data(experiment.data, check);
  const ImageShape& shape = experiment.data.shape;
  check_shifts(experiment.evaluation.average_shifts, std::min(shape.height, shape.width));
  if (experiment.model.layers.empty()) fail("model", "empty", "at least one layer");
  if (experiment.initialize) check_initialize(*experiment.initialize);
  check_training(experiment.parallel, experiment.train);
  check_classes_and_lanes(experiment);
  if (experiment.data.validation.source.path.empty()) {
    check_callbacks(experiment.callbacks, experiment.data.validation.fraction);
  }
}

}  // namespace lockstep
