// Overrides: every option by its path, choices, lists, and errors.
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <variant>

#include "config/sample.h"

namespace lockstep {
namespace {

// How many lines of `text` are `line`, indentation aside.
int count_lines(const std::string& text, const std::string& line) {
  int count = 0;
  std::istringstream lines(text);
  for (std::string each; std::getline(lines, each);) {
    each.erase(0, each.find_first_not_of(' '));
    if (each == line) ++count;
  }
  return count;
}

struct Option {
  const char* override;
  const char* line;  // of to_text(), once more than without the override
};

class OptionTest : public testing::TestWithParam<Option> {};

// Each value differs from its default, so a field that is not read or not
// written is found.
TEST_P(OptionTest, IsSetByItsPath) {
  const std::string all_layers =
      "name: \"tiny\" data { train { path: \"rows.csv\" } }\n"
      "model { layer { conv { filters: 4 } } layer { batch_norm {} } layer { dropout {} }\n"
      "layer { max_pool {} } layer { activation {} } layer { flatten {} }\n"
      "layer { dense { units: 10 } } }";
  const std::string before = to_text(parse(all_layers));
  const std::string after = to_text(parse(all_layers, {GetParam().override}));
  EXPECT_EQ(count_lines(after, GetParam().line), count_lines(before, GetParam().line) + 1) << after;
}

INSTANTIATE_TEST_SUITE_P(
    Experiment, OptionTest,
    testing::Values(Option{"name=other-1.2", "name: \"other-1.2\""},
                    Option{"seed=18446744073709551615", "seed: 18446744073709551615"},
                    Option{"device=CUDA", "device: CUDA"},
                    Option{"data.train.path=a=b.zip", "path: \"a=b.zip\""},
                    Option{"data.train.member=a b.csv", "member: \"a b.csv\""},
                    Option{"data.train.labels=l.gz", "labels: \"l.gz\""},
                    Option{"data.test.path=test.zip", "path: \"test.zip\""},
                    Option{"data.label_column=digit", "label_column: \"digit\""},
                    Option{"data.shape.height=27", "height: 27"},
                    Option{"data.shape.width=26", "width: 26"},
                    Option{"data.shape.channels=3", "channels: 3"},
                    Option{"data.classes=11", "classes: 11"},
                    Option{"data.class_names=a,b c,d,e,f,g,h,i,j,k", "class_names: \"b c\""},
                    Option{"data.validation.fraction=.1", "fraction: 0.1"},
                    Option{"data.validation.stratified=false", "stratified: false"},
                    Option{"data.normalization=STANDARDIZE", "normalization: STANDARDIZE"},
                    Option{"data.augmentation.rotation_degrees=8", "rotation_degrees: 8"},
                    Option{"data.augmentation.translation_pixels=1.5", "translation_pixels: 1.5"},
                    Option{"data.augmentation.scale=.08", "scale: 0.08"},
                    Option{"data.augmentation.flip=.5", "flip: 0.5"},
                    Option{"data.augmentation.crop_padding_pixels=2", "crop_padding_pixels: 2"},
                    Option{"data.augmentation.erase.probability=.25", "probability: 0.25"},
                    Option{"data.augmentation.erase.side_pixels=8", "side_pixels: 8"},
                    Option{"data.augmentation.erase.smallest_area=.1", "smallest_area: 0.1"},
                    Option{"data.augmentation.erase.largest_area=.4", "largest_area: 0.4"},
                    Option{"data.augmentation.brightness=.2", "brightness: 0.2"},
                    Option{"data.augmentation.contrast=.3", "contrast: 0.3"},
                    Option{"data.augmentation.mixup_alpha=.2", "mixup_alpha: 0.2"},
                    Option{"data.augmentation.cutmix_alpha=1", "cutmix_alpha: 1"},
                    Option{"evaluation.top_k=3", "top_k: 3"},
                    Option{"evaluation.average_flips=true", "average_flips: true"},
                    Option{"evaluation.average_shifts=2", "average_shifts: 2"}));

INSTANTIATE_TEST_SUITE_P(
    Model, OptionTest,
    testing::Values(Option{"model.layer[0].conv.filters=16", "filters: 16"},
                    Option{"model.layer.0.conv.filters=16", "filters: 16"},
                    Option{"model.layer[0].conv.kernel=5", "kernel: 5"},
                    Option{"model.layer[0].conv.stride=7", "stride: 7"},
                    Option{"model.layer[0].conv.padding=SAME", "padding: SAME"},
                    Option{"model.layer[0].conv.activation=GELU", "activation: GELU"},
                    Option{"model.layer[0].conv.initializer=HE_NORMAL", "initializer: HE_NORMAL"},
                    Option{"model.layer[0].conv.bias=false", "bias: false"},
                    Option{"model.layer[1].batch_norm.momentum=.95", "momentum: 0.95"},
                    Option{"model.layer[1].batch_norm.epsilon=2e-5", "epsilon: 2e-05"},
                    Option{"model.layer[2].dropout.rate=.075", "rate: 0.075"},
                    Option{"model.layer[3].max_pool.size=3", "size: 3"},
                    Option{"model.layer[3].max_pool.stride=6", "stride: 6"},
                    Option{"model.layer[4].activation.kind=LEAKY_RELU", "kind: LEAKY_RELU"},
                    Option{"model.layer[6].dense.units=12", "units: 12"},
                    Option{"model.layer[6].dense.activation=SILU", "activation: SILU"},
                    Option{"model.layer[6].dense.initializer=HE_UNIFORM",
                           "initializer: HE_UNIFORM"},
                    Option{"model.layer[6].dense.bias=false", "bias: false"}));

INSTANTIATE_TEST_SUITE_P(
    Training, OptionTest,
    testing::Values(Option{"training.global_batch=96", "global_batch: 96"},
                    Option{"training.lanes=3", "lanes: 3"},
                    Option{"training.epochs=3", "epochs: 3"},
                    Option{"training.precision=BF16", "precision: BF16"},
                    Option{"training.reduction=NATIVE", "reduction: NATIVE"},
                    Option{"training.clip_norm=0.5", "clip_norm: 0.5"},
                    Option{"training.label_smoothing=0.1", "label_smoothing: 0.1"},
                    Option{"training.class_weights=1,2,3,4,.5,1,1,1,1,1", "class_weights: 0.5"},
                    Option{"training.balance_classes=true", "balance_classes: true"},
                    Option{"training.log_every_steps=7", "log_every_steps: 7"},
                    Option{"training.digest_every_steps=9", "digest_every_steps: 9"},
                    Option{"optimizer.adam.learning_rate=0.003", "learning_rate: 0.003"},
                    Option{"optimizer.adam.beta1=0.8", "beta1: 0.8"},
                    Option{"optimizer.adam.beta2=0.99", "beta2: 0.99"},
                    Option{"optimizer.adam.epsilon=1e-6", "epsilon: 1e-06"},
                    Option{"optimizer.adamw.learning_rate=0.003", "learning_rate: 0.003"},
                    Option{"optimizer.adamw.beta1=0.8", "beta1: 0.8"},
                    Option{"optimizer.adamw.beta2=0.99", "beta2: 0.99"},
                    Option{"optimizer.adamw.epsilon=1e-6", "epsilon: 1e-06"},
                    Option{"optimizer.adamw.weight_decay=0.02", "weight_decay: 0.02"},
                    Option{"optimizer.sgd.learning_rate=0.03", "learning_rate: 0.03"},
                    Option{"optimizer.sgd.momentum=.8", "momentum: 0.8"},
                    Option{"optimizer.sgd.weight_decay=1e-4", "weight_decay: 0.0001"},
                    Option{"optimizer.sgd.nesterov=true", "nesterov: true"},
                    Option{"optimizer.lamb.epsilon=1e-5", "epsilon: 1e-05"},
                    Option{"optimizer.lars.trust_coefficient=0.02", "trust_coefficient: 0.02"},
                    Option{"optimizer.muon.momentum=0.8", "momentum: 0.8"},
                    Option{"optimizer.decays=ALL", "decays: ALL"},
                    Option{"schedule.step.milestones=2,3.5,9", "milestones: 3.5"},
                    Option{"schedule.linear.final_factor=0.25", "final_factor: 0.25"},
                    Option{"schedule.warmup_cosine.warmup_epochs=2.5", "warmup_epochs: 2.5"},
                    Option{"schedule.warmup_cosine.final_factor=0.01", "final_factor: 0.01"},
                    Option{"schedule.one_cycle.warmup_fraction=0.2", "warmup_fraction: 0.2"},
                    Option{"schedule.one_cycle.initial_divisor=20", "initial_divisor: 20"},
                    Option{"schedule.one_cycle.final_divisor=100", "final_divisor: 100"}));

INSTANTIATE_TEST_SUITE_P(
    CallbacksAndCheckpoint, OptionTest,
    testing::Values(
        Option{"callbacks.early_stopping.monitor=VAL_LOSS", "monitor: VAL_LOSS"},
        Option{"callbacks.early_stopping.patience=7", "patience: 7"},
        Option{"callbacks.early_stopping.min_delta=0.25", "min_delta: 0.25"},
        Option{"callbacks.early_stopping.restore_best=false", "restore_best: false"},
        Option{"callbacks.reduce_on_plateau.monitor=VAL_ACCURACY", "monitor: VAL_ACCURACY"},
        Option{"callbacks.reduce_on_plateau.patience=7", "patience: 7"},
        Option{"callbacks.reduce_on_plateau.factor=0.1", "factor: 0.1"},
        Option{"callbacks.reduce_on_plateau.min_delta=0.25", "min_delta: 0.25"},
        Option{"callbacks.reduce_on_plateau.min_learning_rate=1e-6", "min_learning_rate: 1e-06"},
        Option{"callbacks.best_checkpoint.monitor=VAL_LOSS", "monitor: VAL_LOSS"},
        Option{"checkpoint.every_steps=50", "every_steps: 50"},
        Option{"checkpoint.every_seconds=1.5", "every_seconds: 1.5"},
        Option{"checkpoint.keep_last=5", "keep_last: 5"}));

TEST(OverrideTest, SetsTheTestSource) {
  const SourceOptions zip =
      parse(kSmallest, {"data.test.path=t.zip", "data.test.member=t.csv"}).data.test;
  EXPECT_EQ(zip, (SourceOptions{"t.zip", "t.csv", ""}));
  const SourceOptions idx =
      parse(kSmallest, {"data.test.path=t.gz", "data.test.labels=l.gz"}).data.test;
  EXPECT_EQ(idx, (SourceOptions{"t.gz", "", "l.gz"}));
}

TEST(OverrideTest, ReplacesTheMemberOfAChoice) {
  const std::string adam = kSmallest + "optimizer { adam { learning_rate: 0.5 } }";
  const Experiment experiment = parse(adam, {"optimizer.sgd.momentum=.75"});
  const auto& sgd = std::get<SgdOptions>(experiment.train.optimizer);
  EXPECT_EQ(sgd.momentum, 0.75F);
  EXPECT_EQ(sgd.learning_rate, SgdOptions().learning_rate);
}

TEST(OverrideTest, KeepsTheOtherFieldsOfTheSameMember) {
  const std::string adam = kSmallest + "optimizer { adam { learning_rate: 0.5 } }";
  const Experiment experiment = parse(adam, {"optimizer.adam.beta1=.75"});
  EXPECT_EQ(std::get<AdamOptions>(experiment.train.optimizer).learning_rate, 0.5F);
}

TEST(OverrideTest, ReplacesALayer) {
  const Experiment experiment = parse(kSmallest, {"model.layer[0].dropout.rate=.125"});
  ASSERT_EQ(experiment.model.layers.size(), 2U);
  EXPECT_EQ(std::get<DropoutOptions>(experiment.model.layers[0]).rate, 0.125F);
}

TEST(OverrideTest, TakesAWholeSection) {
  const Experiment experiment =
      parse(kSmallest, {"schedule.one_cycle={}", "callbacks.early_stopping={ patience: 3 }"});
  EXPECT_TRUE(std::holds_alternative<OneCycleSchedule>(experiment.train.schedule));
  ASSERT_TRUE(experiment.callbacks.early_stopping.has_value());
  EXPECT_EQ(experiment.callbacks.early_stopping->patience, 3);
}

TEST(OverrideTest, PutsAFieldBackToItsDefault) {
  const Experiment experiment = parse(
      "name: 'tiny' training { epochs: 77 } callbacks { early_stopping {} }"
      "data { train { path: 'rows.csv' } class_names: 'a' }"
      "model { layer { flatten {} } }",
      {"training.epochs=", "callbacks.early_stopping=", "data.class_names="});
  EXPECT_EQ(experiment.train.epochs, TrainOptions().epochs);
  EXPECT_FALSE(experiment.callbacks.early_stopping.has_value());
  EXPECT_TRUE(experiment.data.class_names.empty());
}

TEST(OverrideTest, TheLastOneWins) {
  EXPECT_EQ(parse(kSmallest, {"training.epochs=3", "training.epochs=4"}).train.epochs, 4);
}

struct BadOverride {
  const char* override;
  const char* message;  // after "--set OVERRIDE: "
};

class BadOverrideTest : public testing::TestWithParam<BadOverride> {};

TEST_P(BadOverrideTest, NamesTheOverrideAndTheProblem) {
  EXPECT_EQ(error_of(kSmallest, {GetParam().override}),
            "--set " + std::string(GetParam().override) + ": " + GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Override, BadOverrideTest,
    testing::Values(
        BadOverride{"training.epohcs=3",
                    "training has no field \"epohcs\"; did you mean \"epochs\"? (valid: "
                    "global_batch, lanes, epochs, precision, reduction, clip_norm, "
                    "label_smoothing, class_weights, balance_classes, ema_decay, log_every_steps, "
                    "digest_every_steps, bucket_bytes, wire)"},
        BadOverride{"optimiser.adam.beta1=0.8",
                    "an experiment has no field \"optimiser\"; did you mean \"optimizer\"? "
                    "(valid: name, seed, device, data, model, initialize, training, optimizer, "
                    "schedule, evaluation, callbacks, checkpoint)"},
        BadOverride{"model.layer[1].dense.unit=3",
                    "model.layer[1].dense has no field \"unit\"; did you mean \"units\"? (valid: "
                    "units, activation, initializer, bias)"},
        BadOverride{"model.layer[2].dense.units=3",
                    "model.layer has no element \"2\"; it holds 2 elements, counted from 0"},
        BadOverride{"model.layer.first.dense.units=3",
                    "model.layer has no element \"first\"; it holds 2 elements, counted from 0"},
        BadOverride{"model.layer=3",
                    "model.layer is a list; name a field of one of its elements, as in "
                    "model.layer[0].conv"},
        BadOverride{"training.epochs.first=3",
                    "training.epochs is a single value; it has no field \"first\""},
        BadOverride{"training.epochs=three",
                    "expected a whole number of at most 2147483647, got \"three\""},
        BadOverride{"training.epochs=3 4",
                    "expected a whole number of at most 2147483647, got \"3 4\""},
        BadOverride{"training.epochs=2147483648",
                    "expected a whole number of at most 2147483647, got \"2147483648\""},
        BadOverride{"seed=-1",
                    "expected a whole number from 0 to 18446744073709551615, got \"-1\""},
        BadOverride{"seed=18446744073709551616",
                    "expected a whole number from 0 to 18446744073709551615, got "
                    "\"18446744073709551616\""},
        BadOverride{"training.precision=BF61",
                    "expected one of FP32, BF16, got \"BF61\"; did you mean \"BF16\"?"},
        BadOverride{"data.validation.stratified=maybe", "expected true or false, got \"maybe\""},
        BadOverride{"optimizer.adam.learning_rate=fast", "expected a number, got \"fast\""},
        BadOverride{
            "optimizer=adm",
            "optimizer is a section; name one of its fields; did you mean \"adam\"? "
            "(valid: adam, adamw, sgd, lamb, lars, muon, decays, group), or write it whole as "
            "{...}"},
        BadOverride{"schedule.step.milestones=2,x", "expected a number, got \"x\""},
        BadOverride{"callbacks.early_stopping={ patienc: 3 }",
                    "unknown field \"patienc\" in EarlyStopping; did you mean \"patience\"? "
                    "(valid: monitor, patience, min_delta, restore_best)"},
        BadOverride{"training.epochs", "expected PATH=VALUE, as in training.epochs=3"},
        BadOverride{"=3",
                    "an experiment has no field \"\" (valid: name, seed, device, data, model, "
                    "initialize, training, optimizer, schedule, evaluation, callbacks, "
                    "checkpoint)"},
        BadOverride{"training.class_weights=1,two", "expected a number, got \"two\""}));

}  // namespace
}  // namespace lockstep
