#include "config/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <variant>

#include "lockstep/core/error.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

// Above any sensible extent; keeps the rooms' products of extents in 64 bits.
constexpr int kMaxExtent = 65536;
constexpr int kMaxImageSide = 4096;
constexpr int kMaxChannels = 64;

template <typename Value>
[[noreturn]] void fail(const std::string& path, const Value& value, std::string_view right) {
  fail_usage("{} is {}; expected {}", path, value, right);
}

// NaN fails each of these, as it fails every comparison.

template <typename Value>
void check_at_least(const std::string& path, Value value, int low) {
  if (value >= static_cast<Value>(low) && std::isfinite(static_cast<double>(value))) return;
  fail(path, value, fmt::format("at least {}", low));
}

void check_extent(const std::string& path, int value, int high) {
  if (value < 1 || value > high) fail(path, value, fmt::format("from 1 to {}", high));
}

template <typename Value>
void check_above_zero(const std::string& path, Value value) {
  if (!(value > 0 && std::isfinite(value))) fail(path, value, "above 0");
}

template <typename Value>
void check_fraction(const std::string& path, Value value) {
  if (!(value >= 0 && value < 1)) fail(path, value, "at least 0 and below 1");
}

void check_inside_unit(const std::string& path, double value) {
  if (!(value > 0 && value < 1)) fail(path, value, "above 0 and below 1");
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
  if (!source.member.empty() && !source.labels.empty()) {
    fail(path + ".labels", fmt::format("\"{}\"", source.labels),
         "none beside a member: a zip holds CSV, and only IDX files have their labels apart");
  }
}

void check_class_names(const DataOptions& data) {
  const std::size_t count = data.class_names.size();
  if (count == 0) return;
  if (count != static_cast<std::size_t>(data.classes)) {
    fail_usage("data.class_names has {}; expected none, or data.classes = {}",
               count_of(count, "name"), data.classes);
  }
  std::set<std::string> seen;
  for (const std::string& name : data.class_names) {
    if (name.empty()) fail("data.class_names", "in part empty", "a name for every class");
    if (!seen.insert(name).second) {
      fail_usage("data.class_names holds \"{}\" twice; expected distinct names", name);
    }
  }
}

void check_augmentation(const AugmentationOptions& options, const ImageShape& shape) {
  const float degrees = options.rotation_degrees;
  if (!(degrees >= 0 && degrees <= 180)) {
    fail("data.augmentation.rotation_degrees", degrees, "from 0 to 180");
  }
  const float pixels = options.translation_pixels;
  const int side = std::min(shape.height, shape.width);
  if (!(pixels >= 0 && pixels < static_cast<float>(side))) {
    fail("data.augmentation.translation_pixels", pixels,
         fmt::format("at least 0 and below the image's shorter side, {}", side));
  }
  check_fraction("data.augmentation.scale", options.scale);
}

void check_data(const DataOptions& data) {
  if (data.train.path.empty()) fail("data.train.path", "empty", "the file of the labelled rows");
  check_source("data.train", data.train);
  check_source("data.test", data.test);
  if (data.label_column.empty()) fail("data.label_column", "empty", "a column's name");
  check_extent("data.shape.height", data.shape.height, kMaxImageSide);
  check_extent("data.shape.width", data.shape.width, kMaxImageSide);
  check_extent("data.shape.channels", data.shape.channels, kMaxChannels);
  if (data.classes < 2 || data.classes > kMaxExtent) {
    fail("data.classes", data.classes, fmt::format("from 2 to {}", kMaxExtent));
  }
  check_class_names(data);
  check_fraction("data.validation.fraction", data.validation.fraction);
  check_augmentation(data.augmentation, data.shape);
}

void check_layer(const std::string& path, const ConvOptions& conv) {
  check_extent(path + ".conv.filters", conv.filters, kMaxExtent);
  check_extent(path + ".conv.kernel", conv.kernel, kMaxImageSide);
  check_extent(path + ".conv.stride", conv.stride, kMaxImageSide);
}

void check_layer(const std::string& path, const DenseOptions& dense) {
  check_extent(path + ".dense.units", dense.units, kMaxExtent);
}

void check_layer(const std::string& path, const BatchNormOptions& norm) {
  check_fraction(path + ".batch_norm.momentum", norm.momentum);
  check_above_zero(path + ".batch_norm.epsilon", norm.epsilon);
}

void check_layer(const std::string& path, const DropoutOptions& dropout) {
  check_fraction(path + ".dropout.rate", dropout.rate);
}

void check_layer(const std::string& path, const MaxPoolOptions& pool) {
  check_extent(path + ".max_pool.size", pool.size, kMaxImageSide);
  if (pool.stride != 0) check_extent(path + ".max_pool.stride", pool.stride, kMaxImageSide);
}

void check_layer(const std::string& /*path*/, const FlattenOptions& /*flatten*/) {}
void check_layer(const std::string& /*path*/, const ActivationOptions& /*activation*/) {}

void check_model(const ModelOptions& model) {
  if (model.layers.empty()) fail("model", "empty", "at least one layer");
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    const std::string path = fmt::format("model.layer[{}]", i);
    std::visit([&path](const auto& layer) { check_layer(path, layer); }, model.layers[i]);
  }
}

void check_optimizer(const AdamOptions& adam) {
  check_above_zero("optimizer.adam.learning_rate", adam.learning_rate);
  check_fraction("optimizer.adam.beta1", adam.beta1);
  check_fraction("optimizer.adam.beta2", adam.beta2);
  check_above_zero("optimizer.adam.epsilon", adam.epsilon);
}

void check_optimizer(const AdamWOptions& adamw) {
  check_above_zero("optimizer.adamw.learning_rate", adamw.learning_rate);
  check_fraction("optimizer.adamw.beta1", adamw.beta1);
  check_fraction("optimizer.adamw.beta2", adamw.beta2);
  check_above_zero("optimizer.adamw.epsilon", adamw.epsilon);
  check_at_least("optimizer.adamw.weight_decay", adamw.weight_decay, 0);
}

void check_optimizer(const SgdOptions& sgd) {
  check_above_zero("optimizer.sgd.learning_rate", sgd.learning_rate);
  check_fraction("optimizer.sgd.momentum", sgd.momentum);
  check_at_least("optimizer.sgd.weight_decay", sgd.weight_decay, 0);
  if (sgd.nesterov && sgd.momentum == 0) {
    fail("optimizer.sgd.momentum", sgd.momentum, "above 0, since nesterov is true");
  }
}

void check_schedule(const ConstantSchedule& /*schedule*/, int /*epochs*/) {}

void check_schedule(const WarmupCosineSchedule& schedule, int epochs) {
  const std::string path = "schedule.warmup_cosine";
  if (!(schedule.warmup_epochs >= 0 && schedule.warmup_epochs <= epochs)) {
    fail(path + ".warmup_epochs", schedule.warmup_epochs,
         fmt::format("from 0 to training.epochs = {}", epochs));
  }
  if (!(schedule.final_factor >= 0 && schedule.final_factor <= 1)) {
    fail(path + ".final_factor", schedule.final_factor, "from 0 to 1");
  }
}

void check_schedule(const OneCycleSchedule& schedule, int /*epochs*/) {
  check_inside_unit("schedule.one_cycle.warmup_fraction", schedule.warmup_fraction);
  check_at_least("schedule.one_cycle.initial_divisor", schedule.initial_divisor, 1);
  check_at_least("schedule.one_cycle.final_divisor", schedule.final_divisor, 1);
}

void check_training(const ParallelOptions& parallel, const TrainOptions& train) {
  check_extent("training.lanes", parallel.lanes, kMaxExtent);
  check_at_least("training.global_batch", parallel.global_batch, 1);
  if (parallel.global_batch < parallel.lanes) {
    fail_usage(
        "training.global_batch = {} is smaller than training.lanes = {}; expected at least one "
        "sample a lane",
        parallel.global_batch, parallel.lanes);
  }
  check_at_least("training.digest_every_steps", parallel.digest_every_steps, 0);
  check_at_least("training.epochs", train.epochs, 1);
  check_at_least("training.clip_norm", train.clip_norm, 0);
  check_fraction("training.label_smoothing", train.label_smoothing);
  check_fraction("training.ema_decay", train.ema_decay);
  check_at_least("training.log_every_steps", train.log_every_steps, 1);
  std::visit([](const auto& each) { check_optimizer(each); }, train.optimizer);
  std::visit([&train](const auto& each) { check_schedule(each, train.epochs); }, train.schedule);
}

void check_early_stopping(const EarlyStoppingOptions& options) {
  check_at_least("callbacks.early_stopping.patience", options.patience, 1);
  check_at_least("callbacks.early_stopping.min_delta", options.min_delta, 0);
}

void check_reduce_on_plateau(const ReduceOnPlateauOptions& options) {
  const std::string path = "callbacks.reduce_on_plateau";
  check_at_least(path + ".patience", options.patience, 1);
  check_inside_unit(path + ".factor", options.factor);
  check_at_least(path + ".min_delta", options.min_delta, 0);
  check_at_least(path + ".min_learning_rate", options.min_learning_rate, 0);
}

void check_callbacks(const CallbackOptions& callbacks, double validation_fraction) {
  if (callbacks.early_stopping) check_early_stopping(*callbacks.early_stopping);
  if (callbacks.reduce_on_plateau) check_reduce_on_plateau(*callbacks.reduce_on_plateau);
  if ((callbacks.early_stopping || callbacks.reduce_on_plateau) && validation_fraction == 0) {
    fail("data.validation.fraction", validation_fraction,
         fmt::format("above 0, since callbacks.{} watches the validation rows",
                     callbacks.early_stopping ? "early_stopping" : "reduce_on_plateau"));
  }
}

void check_checkpoint(const CheckpointOptions& checkpoint) {
  check_at_least("checkpoint.every_steps", checkpoint.every_steps, 0);
  check_at_least("checkpoint.every_seconds", checkpoint.every_seconds, 0);
  check_at_least("checkpoint.keep_last", checkpoint.keep_last, 1);
}

}  // namespace

void validate(const Experiment& experiment) {
  check_name(experiment.name);
  check_data(experiment.data);
  check_model(experiment.model);
  check_training(experiment.parallel, experiment.train);
  check_callbacks(experiment.callbacks, experiment.data.validation.fraction);
  check_checkpoint(experiment.checkpoint);
}

}  // namespace lockstep
