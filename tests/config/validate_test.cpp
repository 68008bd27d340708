// Bad values, each named by its path with what is right.
#include <gtest/gtest.h>

#include <string>

#include "config/sample.h"

namespace lockstep {
namespace {

struct BadValue {
  const char* override;
  const char* message;  // after the origin
};

class BadValueTest : public testing::TestWithParam<BadValue> {};

TEST_P(BadValueTest, NamesPathValueAndWhatIsRight) {
  EXPECT_EQ(error_of(kSmallest, {GetParam().override}),
            "tiny.textproto with its overrides: " + std::string(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Data, BadValueTest,
    testing::Values(
        BadValue{"name=a/b",
                 "name is \"a/b\"; expected a folder name of letters, digits, '.', '_' and '-' "
                 "that begins with a letter or digit"},
        BadValue{"data.train.path=",
                 "data.train.path is empty; expected the file of the labelled rows"},
        BadValue{"data.test.member=test.csv",
                 "data.test.path is empty; expected a file, since its member or labels are given"},
        BadValue{"data.shape.height=0", "data.shape.height is 0; expected from 1 to 4096"},
        BadValue{"data.shape.width=4097", "data.shape.width is 4097; expected from 1 to 4096"},
        BadValue{"data.shape.channels=-1", "data.shape.channels is -1; expected from 1 to 64"},
        BadValue{"data.classes=1", "data.classes is 1; expected 0, or from 2 to 65536"},
        BadValue{"data.class_names=a,b",
                 "data.class_names has 2 names; expected none, or data.classes = 10"},
        BadValue{"data.class_names=a,b,c,d,e,f,g,h,i,a",
                 "data.class_names holds \"a\" twice; expected distinct names"},
        BadValue{"data.class_names=a,b,c,d,e,f,g,h,i,",
                 "data.class_names is in part empty; expected a name for every class"},
        BadValue{"data.validation.fraction=1",
                 "data.validation.fraction is 1; expected at least 0 and below 1"},
        BadValue{"data.validation.fraction=-0.1",
                 "data.validation.fraction is -0.1; expected at least 0 and below 1"},
        BadValue{"data.validation.fraction=nan",
                 "data.validation.fraction is nan; expected at least 0 and below 1"},
        BadValue{"data.augmentation.rotation_degrees=181",
                 "data.augmentation.rotation_degrees is 181; expected from 0 to 180"},
        BadValue{"data.augmentation.translation_pixels=28",
                 "data.augmentation.translation_pixels is 28; expected at least 0 and below the "
                 "image's shorter side, 28"},
        BadValue{"data.augmentation.scale=1",
                 "data.augmentation.scale is 1; expected at least 0 and below 1"},
        BadValue{"data.augmentation.flip=1.5",
                 "data.augmentation.flip is 1.5; expected from 0 to 1"},
        BadValue{"data.augmentation.crop_padding_pixels=28",
                 "data.augmentation.crop_padding_pixels is 28; expected at least 0 and below the "
                 "image's shorter side, 28"},
        BadValue{"data.augmentation.erase.probability=2",
                 "data.augmentation.erase.probability is 2; expected from 0 to 1"},
        BadValue{"data.augmentation.erase={ smallest_area: 0.4 largest_area: 0.25 }",
                 "data.augmentation.erase.largest_area is 0.25; expected at least the smallest, "
                 "0.4"},
        BadValue{"data.augmentation.contrast=-1",
                 "data.augmentation.contrast is -1; expected from 0 to 1"},
        BadValue{"data.augmentation.mixup_alpha=-1",
                 "data.augmentation.mixup_alpha is -1; expected at least 0"},
        BadValue{"evaluation.top_k=10", "evaluation.top_k is 10; expected below data.classes = 10"},
        BadValue{"training.class_weights=1,2",
                 "training.class_weights has 2 numbers; expected none, or data.classes = 10"},
        BadValue{"training.class_weights=1,0",
                 "training.class_weights[1] is 0; expected from 1e-10 to 10000000000"},
        BadValue{"training.class_weights=1,1e38",
                 "training.class_weights[1] is 1e+38; expected from 1e-10 to 10000000000"}));

TEST(ValidateTest, RefusesWhatCannotGoTogether) {
  const std::string begin = "tiny.textproto with its overrides: ";
  EXPECT_EQ(error_of(kSmallest, {"training.class_weights=1,1,1,1,1,1,1,1,1,2",
                                 "training.balance_classes=true"}),
            begin +
                "training.balance_classes is true; expected false, since "
                "training.class_weights are given");
  EXPECT_EQ(error_of(kSmallest, {"training.global_batch=7", "data.augmentation.cutmix_alpha=1"}),
            begin +
                "training.global_batch is 7; expected at least 2 x training.lanes = 8, since "
                "samples of a lane are mixed");
  EXPECT_EQ(error_of(kSmallest, {"training.global_batch=8", "data.augmentation.cutmix_alpha=1"}),
            "");
}

INSTANTIATE_TEST_SUITE_P(
    Model, BadValueTest,
    testing::Values(BadValue{"model=", "model is empty; expected at least one layer"},
                    BadValue{"model.layer[0].conv.kernel=3",
                             "model.layer[0].conv.filters is 0; expected from 1 to 65536"},
                    BadValue{"model.layer[1].dense.units=0",
                             "model.layer[1].dense.units is 0; expected from 1 to 65536"},
                    BadValue{"model.layer[0].conv={ filters: 2 kernel: 0 }",
                             "model.layer[0].conv.kernel is 0; expected from 1 to 4096"},
                    BadValue{"model.layer[0].conv={ filters: 2 stride: -2 }",
                             "model.layer[0].conv.stride is -2; expected from 1 to 4096"},
                    BadValue{
                        "model.layer[0].batch_norm.momentum=1",
                        "model.layer[0].batch_norm.momentum is 1; expected at least 0 and below 1"},
                    BadValue{"model.layer[0].batch_norm.epsilon=0",
                             "model.layer[0].batch_norm.epsilon is 0; expected above 0"},
                    BadValue{"model.layer[0].dropout.rate=1",
                             "model.layer[0].dropout.rate is 1; expected at least 0 and below 1"},
                    BadValue{"model.layer[0].max_pool.size=0",
                             "model.layer[0].max_pool.size is 0; expected from 1 to 4096"},
                    BadValue{"model.layer[0].max_pool.stride=-1",
                             "model.layer[0].max_pool.stride is -1; expected from 0 to 4096"}));

INSTANTIATE_TEST_SUITE_P(
    Training, BadValueTest,
    testing::Values(
        BadValue{"training.lanes=0", "training.lanes is 0; expected from 1 to 65536"},
        BadValue{"training.global_batch=0", "training.global_batch is 0; expected at least 1"},
        BadValue{"training.global_batch=3",
                 "training.global_batch = 3 is smaller than training.lanes = 4; expected at least "
                 "one sample a lane"},
        BadValue{"training.epochs=0", "training.epochs is 0; expected at least 1"},
        BadValue{"training.clip_norm=inf", "training.clip_norm is inf; expected at least 0"},
        BadValue{"training.label_smoothing=1",
                 "training.label_smoothing is 1; expected at least 0 and below 1"},
        BadValue{"training.log_every_steps=0",
                 "training.log_every_steps is 0; expected at least 1"},
        BadValue{"training.digest_every_steps=-1",
                 "training.digest_every_steps is -1; expected at least 0"},
        BadValue{"optimizer.adam.learning_rate=0",
                 "optimizer.adam.learning_rate is 0; expected above 0"},
        BadValue{"optimizer.adam.learning_rate=inf",
                 "optimizer.adam.learning_rate is inf; expected above 0"},
        BadValue{"optimizer.adam.beta1=1",
                 "optimizer.adam.beta1 is 1; expected at least 0 and below 1"},
        BadValue{"optimizer.adam.beta2=-1",
                 "optimizer.adam.beta2 is -1; expected at least 0 and below 1"},
        BadValue{"optimizer.adam.epsilon=nan", "optimizer.adam.epsilon is nan; expected above 0"},
        BadValue{"optimizer.adamw.weight_decay=-1",
                 "optimizer.adamw.weight_decay is -1; expected at least 0"},
        BadValue{"optimizer.sgd.learning_rate=-1",
                 "optimizer.sgd.learning_rate is -1; expected above 0"},
        BadValue{"optimizer.sgd={ momentum: 0 nesterov: true }",
                 "optimizer.sgd.momentum is 0; expected above 0, since nesterov is true"},
        BadValue{"optimizer={ sgd {} group {} }",
                 "optimizer.group[0].layers is empty; expected names of layers or parameters"},
        BadValue{"optimizer={ group { layers: 'a' rate_factor: -1 } }",
                 "optimizer.group[0].rate_factor is -1; expected at least 0"},
        BadValue{
            "optimizer={ group { layers: 'a' decay_factor: 2 } }",
            "optimizer.group[0].decay_factor is 2; expected 1, since adam has no weight decay; "
            "adamw has"},
        BadValue{"optimizer.lars.trust_coefficient=0",
                 "optimizer.lars.trust_coefficient is 0; expected above 0"},
        BadValue{"schedule.linear.warmup_epochs=11",
                 "schedule.linear.warmup_epochs is 11; expected from 0 to training.epochs = 10"},
        BadValue{"schedule.step={}",
                 "schedule.step has neither of every_epochs and milestones; expected one of them"},
        BadValue{"schedule.step={ every_epochs: 2 milestones: 3 }",
                 "schedule.step has both every_epochs and milestones; expected one of them"},
        BadValue{"schedule.step.milestones=3,2",
                 "schedule.step.milestones[1] is 2; expected an epoch above 3"},
        BadValue{"schedule.step.milestones=inf",
                 "schedule.step.milestones[0] is inf; expected an epoch above 0"},
        BadValue{"schedule.step={ every_epochs: 1 factor: 1 }",
                 "schedule.step.factor is 1; expected above 0 and below 1"},
        BadValue{"schedule.warmup_cosine.warmup_epochs=11",
                 "schedule.warmup_cosine.warmup_epochs is 11; expected from 0 to training.epochs "
                 "= 10"},
        BadValue{"schedule.warmup_cosine.final_factor=2",
                 "schedule.warmup_cosine.final_factor is 2; expected from 0 to 1"},
        BadValue{"schedule.one_cycle.warmup_fraction=1",
                 "schedule.one_cycle.warmup_fraction is 1; expected above 0 and below 1"},
        BadValue{"schedule.one_cycle.initial_divisor=0.5",
                 "schedule.one_cycle.initial_divisor is 0.5; expected at least 1"},
        BadValue{"schedule.one_cycle.final_divisor=inf",
                 "schedule.one_cycle.final_divisor is inf; expected at least 1"}));

INSTANTIATE_TEST_SUITE_P(
    CallbacksAndCheckpoint, BadValueTest,
    testing::Values(
        BadValue{"callbacks.early_stopping.patience=0",
                 "callbacks.early_stopping.patience is 0; expected at least 1"},
        BadValue{"callbacks.early_stopping.min_delta=-1",
                 "callbacks.early_stopping.min_delta is -1; expected at least 0"},
        BadValue{"callbacks.reduce_on_plateau.factor=1",
                 "callbacks.reduce_on_plateau.factor is 1; expected above 0 and below 1"},
        BadValue{"callbacks.reduce_on_plateau.min_learning_rate=-1",
                 "callbacks.reduce_on_plateau.min_learning_rate is -1; expected at least 0"},
        BadValue{"checkpoint.every_steps=-1", "checkpoint.every_steps is -1; expected at least 0"},
        BadValue{"checkpoint.every_seconds=-1",
                 "checkpoint.every_seconds is -1; expected at least 0"},
        BadValue{"checkpoint.keep_last=0", "checkpoint.keep_last is 0; expected at least 1"}));

INSTANTIATE_TEST_SUITE_P(
    Initialize, BadValueTest,
    testing::Values(
        BadValue{"initialize.map=RESNET50",
                 "initialize.path is empty; expected a file, since rename, map or skip say how it "
                 "is read"},
        BadValue{"initialize={ path: 'w' rename { from: 'a.*' to: '*.*' } }",
                 "initialize.rename[0].to is \"*.*\"; expected no more stars than in from, "
                 "\"a.*\""},
        BadValue{"initialize={ path: 'w' rename { to: 'b' } }",
                 "initialize.rename[0].from is empty; expected a tensor's name, or a pattern of "
                 "names"}));

TEST(ValidateTest, NamesTheLineOfTheFieldOrOfTheSectionAroundIt) {
  const std::string begin = kSmallest + "training {\n  lanes: 4\n";
  EXPECT_EQ(error_of(begin + "  epochs: 0\n}"),
            "tiny.textproto:6: training.epochs is 0; expected at least 1");
  EXPECT_EQ(error_of("name: 'a'\ndata {}\nmodel { layer { flatten {} } }"),
            "tiny.textproto:2: data.train.path is empty; expected the file of the labelled rows");
  EXPECT_EQ(error_of("name: 'a' model { layer { flatten {} } }"),
            "tiny.textproto: data.train.path is empty; expected the file of the labelled rows");
  EXPECT_EQ(error_of(begin + "  class_weights: [1, 0]\n}"),
            "tiny.textproto:6: training.class_weights[1] is 0; expected from 1e-10 to 10000000000");
}

TEST(ValidateTest, NamesNoLineOfWhatAnOverrideGave) {
  const std::string text = kSmallest + "training { epochs: 3 class_weights: [1, 1] }";
  EXPECT_EQ(error_of(text, {"training.epochs=0"}),
            "tiny.textproto with its overrides: training.epochs is 0; expected at least 1");
  EXPECT_EQ(error_of(text, {"seed=3"}),
            "tiny.textproto:4 with its overrides: training.class_weights has 2 numbers; expected "
            "none, or data.classes = 10");
}

TEST(ValidateTest, WantsANameThatIsASafeFolder) {
  for (const char* name : {"", ".", "..", ".hidden", "-dash", "a b", "a\\n", "\303\251"}) {
    const std::string text = kSmallest.substr(kSmallest.find('\n') + 1) + "name: '" + name + "'";
    EXPECT_NE(error_of(text).find("expected a folder name"), std::string::npos) << name;
  }
  EXPECT_EQ(error_of(kSmallest, {"name=0digits-2.fast_A"}), "");
}

TEST(ValidateTest, WantsALayerToHaveAKind) {
  EXPECT_EQ(error_of("name: 'a' data { train { path: 'b' } } model { layer {} }"),
            "tiny.textproto:1: model.layer[0] is empty; expected one of conv, dense, batch_norm, "
            "dropout, max_pool, avg_pool, flatten, activation, group_norm, layer_norm, "
            "residual, branches, gate, repeat, logits");
}

TEST(ValidateTest, WantsReadableWordsOfData) {
  const auto error = [](const std::string& setting) { return error_of(kSmallest, {setting}); };
  const std::string begin = "tiny.textproto with its overrides: data.";
  EXPECT_EQ(error("data.csv.separator=|"),
            begin + "csv.separator is \"|\"; expected \",\", \";\", a tab, a blank, or nothing");
  EXPECT_EQ(error("data.relabel=five"), begin + "relabel is \"five\"; expected FROM=TO");
  EXPECT_EQ(error("data.range.highest=-1"),
            begin + "range.highest is -1; expected above the lowest, 0");
  EXPECT_EQ(error("data.labels=a,b,c"),
            begin + "labels has 3 labels; expected none, or data.classes = 10");
  EXPECT_EQ(error("data.labels=0,1,2,3,4,5,6,7,8,0"),
            begin + "labels holds \"0\" twice; expected distinct labels");
}

TEST(ValidateTest, KnowsTheClassesThatTheExperimentTells) {
  const std::string begin = "name: 'a' data { train { path: 'b' } ";
  const std::string logits = "} model { layer { flatten {} } layer { logits {} } }";
  const auto told = [&](const std::string& data, const std::string& model) {
    return parse(begin + data + model).data.classes;
  };
  EXPECT_EQ(parse(kSmallest).data.classes, 10);
  EXPECT_EQ(parse(kSmallest, {"data.classes=12"}).data.classes, 12);
  EXPECT_EQ(told("", logits), 0);
  EXPECT_EQ(told("classes: 3", logits), 3);
  EXPECT_EQ(told("", logits + "training { class_weights: [1, 2] }"), 0);
  EXPECT_EQ(told("labels: ['x', 'y', 'z']", logits), 3);
  EXPECT_EQ(told("class_names: ['x', 'y']", logits), 2);
  EXPECT_EQ(error_of(begin + "class_names: ['x', 'y'] labels: ['1', '2', '3']" + logits),
            "tiny.textproto:1: data.class_names has 2 names; expected none, or data.classes = 3");
  EXPECT_EQ(error_of(begin + "labels: ['x']" + logits),
            "tiny.textproto:1: data.classes is 1; expected at least 2");
}

TEST(ValidateTest, WantsValidationRowsForCallbacksThatWatchThem) {
  EXPECT_EQ(error_of(kSmallest, {"data.validation.fraction=0"}), "");
  EXPECT_EQ(error_of(kSmallest, {"data.validation.fraction=0", "callbacks.early_stopping={}"}),
            "tiny.textproto with its overrides: data.validation.fraction is 0; expected above 0, "
            "since callbacks.early_stopping watches the validation rows");
}

TEST(ValidateTest, TakesTheEndsOfRanges) {
  EXPECT_EQ(error_of(kSmallest,
                     {"training.global_batch=4", "training.lanes=4", "training.epochs=1",
                      "schedule.warmup_cosine.warmup_epochs=1", "model.layer[0].dropout.rate=0",
                      "data.augmentation.rotation_degrees=180", "data.classes=2",
                      "optimizer.sgd.momentum=0"}),
            "");
}

}  // namespace
}  // namespace lockstep
