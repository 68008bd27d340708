#include "config/read.h"

#include <string>

#include "config/enums.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

SourceOptions read(const proto::Source& from) {
  SourceOptions to;
  if (from.has_path()) to.path = from.path();
  if (from.has_member()) to.member = from.member();
  if (from.has_labels()) to.labels = from.labels();
  return to;
}

ImageShape read(const proto::Shape& from) {
  ImageShape to;
  if (from.has_height()) to.height = from.height();
  if (from.has_width()) to.width = from.width();
  if (from.has_channels()) to.channels = from.channels();
  return to;
}

ValidationOptions read(const proto::Validation& from) {
  ValidationOptions to;
  if (from.has_fraction()) to.fraction = from.fraction();
  if (from.has_stratified()) to.stratified = from.stratified();
  return to;
}

AugmentationOptions read(const proto::Augmentation& from) {
  AugmentationOptions to;
  if (from.has_rotation_degrees()) to.rotation_degrees = from.rotation_degrees();
  if (from.has_translation_pixels()) to.translation_pixels = from.translation_pixels();
  if (from.has_scale()) to.scale = from.scale();
  return to;
}

DataOptions read(const proto::Data& from) {
  DataOptions to;
  to.train = read(from.train());
  to.test = read(from.test());
  if (from.has_label_column()) to.label_column = from.label_column();
  to.shape = read(from.shape());
  if (from.has_classes()) to.classes = from.classes();
  to.class_names.assign(from.class_names().begin(), from.class_names().end());
  to.validation = read(from.validation());
  if (from.has_normalization()) {
    to.normalization = value_of(kNormalizations, from.normalization());
  }
  to.augmentation = read(from.augmentation());
  return to;
}

ConvOptions read(const proto::Conv& from) {
  ConvOptions to;
  if (from.has_filters()) to.filters = from.filters();
  if (from.has_kernel()) to.kernel = from.kernel();
  if (from.has_stride()) to.stride = from.stride();
  if (from.has_padding()) to.padding = value_of(kPaddings, from.padding());
  if (from.has_activation()) to.activation = value_of(kActivations, from.activation());
  if (from.has_initializer()) to.initializer = value_of(kInitializers, from.initializer());
  if (from.has_bias()) to.bias = from.bias();
  return to;
}

DenseOptions read(const proto::Dense& from) {
  DenseOptions to;
  if (from.has_units()) to.units = from.units();
  if (from.has_activation()) to.activation = value_of(kActivations, from.activation());
  if (from.has_initializer()) to.initializer = value_of(kInitializers, from.initializer());
  if (from.has_bias()) to.bias = from.bias();
  return to;
}

BatchNormOptions read(const proto::BatchNorm& from) {
  BatchNormOptions to;
  if (from.has_momentum()) to.momentum = from.momentum();
  if (from.has_epsilon()) to.epsilon = from.epsilon();
  return to;
}

DropoutOptions read(const proto::Dropout& from) {
  DropoutOptions to;
  if (from.has_rate()) to.rate = from.rate();
  return to;
}

MaxPoolOptions read(const proto::MaxPool& from) {
  MaxPoolOptions to;
  if (from.has_size()) to.size = from.size();
  if (from.has_stride()) to.stride = from.stride();
  return to;
}

ActivationOptions read(const proto::Activation& from) {
  ActivationOptions to;
  if (from.has_kind()) to.kind = value_of(kActivations, from.kind());
  return to;
}

LayerOptions read(const proto::Layer& from, int index) {
  switch (from.kind_case()) {
    case proto::Layer::kConv:
      return read(from.conv());
    case proto::Layer::kDense:
      return read(from.dense());
    case proto::Layer::kBatchNorm:
      return read(from.batch_norm());
    case proto::Layer::kDropout:
      return read(from.dropout());
    case proto::Layer::kMaxPool:
      return read(from.max_pool());
    case proto::Layer::kFlatten:
      return FlattenOptions();
    case proto::Layer::kActivation:
      return read(from.activation());
    case proto::Layer::KIND_NOT_SET:
      break;
  }
  fail_usage(
      "model.layer[{}] is empty; expected one of conv, dense, batch_norm, dropout, max_pool, "
      "flatten, activation",
      index);
}

ModelOptions read(const proto::Model& from) {
  ModelOptions to;
  for (int i = 0; i < from.layer_size(); ++i) to.layers.push_back(read(from.layer(i), i));
  return to;
}

ParallelOptions read_parallel(const proto::Training& from) {
  ParallelOptions to;
  if (from.has_global_batch()) to.global_batch = from.global_batch();
  if (from.has_lanes()) to.lanes = from.lanes();
  if (from.has_precision()) to.precision = value_of(kPrecisions, from.precision());
  if (from.has_reduction()) to.reduction = value_of(kReductions, from.reduction());
  if (from.has_digest_every_steps()) to.digest_every_steps = from.digest_every_steps();
  return to;
}

AdamOptions read(const proto::Adam& from) {
  AdamOptions to;
  if (from.has_learning_rate()) to.learning_rate = from.learning_rate();
  if (from.has_beta1()) to.beta1 = from.beta1();
  if (from.has_beta2()) to.beta2 = from.beta2();
  if (from.has_epsilon()) to.epsilon = from.epsilon();
  return to;
}

AdamWOptions read(const proto::AdamW& from) {
  AdamWOptions to;
  if (from.has_learning_rate()) to.learning_rate = from.learning_rate();
  if (from.has_beta1()) to.beta1 = from.beta1();
  if (from.has_beta2()) to.beta2 = from.beta2();
  if (from.has_epsilon()) to.epsilon = from.epsilon();
  if (from.has_weight_decay()) to.weight_decay = from.weight_decay();
  return to;
}

SgdOptions read(const proto::Sgd& from) {
  SgdOptions to;
  if (from.has_learning_rate()) to.learning_rate = from.learning_rate();
  if (from.has_momentum()) to.momentum = from.momentum();
  if (from.has_weight_decay()) to.weight_decay = from.weight_decay();
  if (from.has_nesterov()) to.nesterov = from.nesterov();
  return to;
}

OptimizerOptions read(const proto::Optimizer& from) {
  switch (from.kind_case()) {
    case proto::Optimizer::kAdam:
      return read(from.adam());
    case proto::Optimizer::kAdamw:
      return read(from.adamw());
    case proto::Optimizer::kSgd:
      return read(from.sgd());
    case proto::Optimizer::KIND_NOT_SET:
      break;
  }
  return OptimizerOptions();
}

WarmupCosineSchedule read(const proto::WarmupCosine& from) {
  WarmupCosineSchedule to;
  if (from.has_warmup_epochs()) to.warmup_epochs = from.warmup_epochs();
  if (from.has_final_factor()) to.final_factor = from.final_factor();
  return to;
}

OneCycleSchedule read(const proto::OneCycle& from) {
  OneCycleSchedule to;
  if (from.has_warmup_fraction()) to.warmup_fraction = from.warmup_fraction();
  if (from.has_initial_divisor()) to.initial_divisor = from.initial_divisor();
  if (from.has_final_divisor()) to.final_divisor = from.final_divisor();
  return to;
}

ScheduleOptions read(const proto::Schedule& from) {
  switch (from.kind_case()) {
    case proto::Schedule::kConstant:
      return ConstantSchedule();
    case proto::Schedule::kWarmupCosine:
      return read(from.warmup_cosine());
    case proto::Schedule::kOneCycle:
      return read(from.one_cycle());
    case proto::Schedule::KIND_NOT_SET:
      break;
  }
  return ScheduleOptions();
}

TrainOptions read_train(const proto::Experiment& from) {
  const proto::Training& training = from.training();
  TrainOptions to;
  if (training.has_epochs()) to.epochs = training.epochs();
  if (training.has_clip_norm()) to.clip_norm = training.clip_norm();
  if (training.has_label_smoothing()) to.label_smoothing = training.label_smoothing();
  if (training.has_ema_decay()) to.ema_decay = training.ema_decay();
  if (training.has_log_every_steps()) to.log_every_steps = training.log_every_steps();
  to.optimizer = read(from.optimizer());
  to.schedule = read(from.schedule());
  return to;
}

EarlyStoppingOptions read(const proto::EarlyStopping& from) {
  EarlyStoppingOptions to;
  if (from.has_monitor()) to.monitor = value_of(kMetrics, from.monitor());
  if (from.has_patience()) to.patience = from.patience();
  if (from.has_min_delta()) to.min_delta = from.min_delta();
  if (from.has_restore_best()) to.restore_best = from.restore_best();
  return to;
}

ReduceOnPlateauOptions read(const proto::ReduceOnPlateau& from) {
  ReduceOnPlateauOptions to;
  if (from.has_monitor()) to.monitor = value_of(kMetrics, from.monitor());
  if (from.has_patience()) to.patience = from.patience();
  if (from.has_factor()) to.factor = from.factor();
  if (from.has_min_delta()) to.min_delta = from.min_delta();
  if (from.has_min_learning_rate()) to.min_learning_rate = from.min_learning_rate();
  return to;
}

CallbackOptions read(const proto::Callbacks& from) {
  CallbackOptions to;
  if (from.has_early_stopping()) to.early_stopping = read(from.early_stopping());
  if (from.has_reduce_on_plateau()) to.reduce_on_plateau = read(from.reduce_on_plateau());
  const proto::BestCheckpoint& best = from.best_checkpoint();
  if (best.has_monitor()) to.best_checkpoint.monitor = value_of(kMetrics, best.monitor());
  return to;
}

CheckpointOptions read(const proto::Checkpoint& from) {
  CheckpointOptions to;
  if (from.has_every_steps()) to.every_steps = from.every_steps();
  if (from.has_every_seconds()) to.every_seconds = from.every_seconds();
  if (from.has_keep_last()) to.keep_last = from.keep_last();
  return to;
}

}  // namespace

Experiment read_experiment(const proto::Experiment& from) {
  Experiment to;
  if (from.has_name()) to.name = from.name();
  if (from.has_seed()) to.seed = from.seed();
  if (from.has_device()) to.device = value_of(kDevices, from.device());
  to.data = read(from.data());
  to.model = read(from.model());
  to.parallel = read_parallel(from.training());
  to.train = read_train(from);
  to.callbacks = read(from.callbacks());
  to.checkpoint = read(from.checkpoint());
  return to;
}

}  // namespace lockstep
