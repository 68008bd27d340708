#include "config/write.h"

#include <variant>

#include "config/enums.h"

namespace lockstep {

namespace {

void write(const SourceOptions& from, proto::Source& to) {
  to.set_path(from.path);
  to.set_member(from.member);
  to.set_labels(from.labels);
}

void write(const ImageShape& from, proto::Shape& to) {
  to.set_height(from.height);
  to.set_width(from.width);
  to.set_channels(from.channels);
}

void write(const ValidationOptions& from, proto::Validation& to) {
  to.set_fraction(from.fraction);
  to.set_stratified(from.stratified);
}

void write(const AugmentationOptions& from, proto::Augmentation& to) {
  to.set_rotation_degrees(from.rotation_degrees);
  to.set_translation_pixels(from.translation_pixels);
  to.set_scale(from.scale);
}

void write(const DataOptions& from, proto::Data& to) {
  write(from.train, *to.mutable_train());
  write(from.test, *to.mutable_test());
  to.set_label_column(from.label_column);
  write(from.shape, *to.mutable_shape());
  to.set_classes(from.classes);
  for (const std::string& name : from.class_names) to.add_class_names(name);
  write(from.validation, *to.mutable_validation());
  to.set_normalization(word_for(kNormalizations, from.normalization));
  write(from.augmentation, *to.mutable_augmentation());
}

void write(const ConvOptions& from, proto::Layer& layer) {
  proto::Conv& to = *layer.mutable_conv();
  to.set_filters(from.filters);
  to.set_kernel(from.kernel);
  to.set_stride(from.stride);
  to.set_padding(word_for(kPaddings, from.padding));
  to.set_activation(word_for(kActivations, from.activation));
  to.set_initializer(word_for(kInitializers, from.initializer));
  to.set_bias(from.bias);
}

void write(const DenseOptions& from, proto::Layer& layer) {
  proto::Dense& to = *layer.mutable_dense();
  to.set_units(from.units);
  to.set_activation(word_for(kActivations, from.activation));
  to.set_initializer(word_for(kInitializers, from.initializer));
  to.set_bias(from.bias);
}

void write(const BatchNormOptions& from, proto::Layer& layer) {
  proto::BatchNorm& to = *layer.mutable_batch_norm();
  to.set_momentum(from.momentum);
  to.set_epsilon(from.epsilon);
}

void write(const DropoutOptions& from, proto::Layer& layer) {
  layer.mutable_dropout()->set_rate(from.rate);
}

void write(const MaxPoolOptions& from, proto::Layer& layer) {
  proto::MaxPool& to = *layer.mutable_max_pool();
  to.set_size(from.size);
  to.set_stride(from.stride);
}

void write(const FlattenOptions& /*from*/, proto::Layer& layer) { layer.mutable_flatten(); }

void write(const ActivationOptions& from, proto::Layer& layer) {
  layer.mutable_activation()->set_kind(word_for(kActivations, from.kind));
}

void write(const ModelOptions& from, proto::Model& to) {
  for (const LayerOptions& layer : from.layers) {
    std::visit([&to](const auto& each) { write(each, *to.add_layer()); }, layer);
  }
}

void write(const ParallelOptions& from, proto::Training& to) {
  to.set_global_batch(from.global_batch);
  to.set_lanes(from.lanes);
  to.set_precision(word_for(kPrecisions, from.precision));
  to.set_reduction(word_for(kReductions, from.reduction));
  to.set_digest_every_steps(from.digest_every_steps);
}

void write(const AdamOptions& from, proto::Optimizer& optimizer) {
  proto::Adam& to = *optimizer.mutable_adam();
  to.set_learning_rate(from.learning_rate);
  to.set_beta1(from.beta1);
  to.set_beta2(from.beta2);
  to.set_epsilon(from.epsilon);
}

void write(const AdamWOptions& from, proto::Optimizer& optimizer) {
  proto::AdamW& to = *optimizer.mutable_adamw();
  to.set_learning_rate(from.learning_rate);
  to.set_beta1(from.beta1);
  to.set_beta2(from.beta2);
  to.set_epsilon(from.epsilon);
  to.set_weight_decay(from.weight_decay);
}

void write(const SgdOptions& from, proto::Optimizer& optimizer) {
  proto::Sgd& to = *optimizer.mutable_sgd();
  to.set_learning_rate(from.learning_rate);
  to.set_momentum(from.momentum);
  to.set_weight_decay(from.weight_decay);
  to.set_nesterov(from.nesterov);
}

void write(const ConstantSchedule& /*from*/, proto::Schedule& schedule) {
  schedule.mutable_constant();
}

void write(const WarmupCosineSchedule& from, proto::Schedule& schedule) {
  proto::WarmupCosine& to = *schedule.mutable_warmup_cosine();
  to.set_warmup_epochs(from.warmup_epochs);
  to.set_final_factor(from.final_factor);
}

void write(const OneCycleSchedule& from, proto::Schedule& schedule) {
  proto::OneCycle& to = *schedule.mutable_one_cycle();
  to.set_warmup_fraction(from.warmup_fraction);
  to.set_initial_divisor(from.initial_divisor);
  to.set_final_divisor(from.final_divisor);
}

void write(const TrainOptions& from, proto::Experiment& to) {
  proto::Training& training = *to.mutable_training();
  training.set_epochs(from.epochs);
  training.set_clip_norm(from.clip_norm);
  training.set_label_smoothing(from.label_smoothing);
  training.set_ema_decay(from.ema_decay);
  training.set_log_every_steps(from.log_every_steps);
  std::visit([&to](const auto& each) { write(each, *to.mutable_optimizer()); }, from.optimizer);
  std::visit([&to](const auto& each) { write(each, *to.mutable_schedule()); }, from.schedule);
}

void write(const EarlyStoppingOptions& from, proto::EarlyStopping& to) {
  to.set_monitor(word_for(kMetrics, from.monitor));
  to.set_patience(from.patience);
  to.set_min_delta(from.min_delta);
  to.set_restore_best(from.restore_best);
}

void write(const ReduceOnPlateauOptions& from, proto::ReduceOnPlateau& to) {
  to.set_monitor(word_for(kMetrics, from.monitor));
  to.set_patience(from.patience);
  to.set_factor(from.factor);
  to.set_min_delta(from.min_delta);
  to.set_min_learning_rate(from.min_learning_rate);
}

void write(const CallbackOptions& from, proto::Callbacks& to) {
  if (from.early_stopping) write(*from.early_stopping, *to.mutable_early_stopping());
  if (from.reduce_on_plateau) write(*from.reduce_on_plateau, *to.mutable_reduce_on_plateau());
  to.mutable_best_checkpoint()->set_monitor(word_for(kMetrics, from.best_checkpoint.monitor));
}

void write(const CheckpointOptions& from, proto::Checkpoint& to) {
  to.set_every_steps(from.every_steps);
  to.set_every_seconds(from.every_seconds);
  to.set_keep_last(from.keep_last);
}

}  // namespace

proto::Experiment write_experiment(const Experiment& from) {
  proto::Experiment to;
  to.set_name(from.name);
  to.set_seed(from.seed);
  to.set_device(word_for(kDevices, from.device));
  write(from.data, *to.mutable_data());
  write(from.model, *to.mutable_model());
  write(from.parallel, *to.mutable_training());
  write(from.train, to);
  write(from.callbacks, *to.mutable_callbacks());
  write(from.checkpoint, *to.mutable_checkpoint());
  return to;
}

}  // namespace lockstep
