// Defaults, the round trip through text, digests and the shipped experiments.
#include "lockstep/config/experiment.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "config/sample.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

fs::path configs_folder() { return fs::path(LOCKSTEP_SOURCE_DIR) / "configs"; }

Experiment shipped(const std::string& name) {
  return load_experiment((configs_folder() / (name + ".textproto")).string(), {});
}

// The layers' kinds, one letter each.
std::string kinds_of(const ModelOptions& model) {
  std::string kinds;
  for (const LayerOptions& layer : model.layers) {
    kinds += std::visit([](const auto& each) { return std::string(each.kName) + " "; }, layer);
  }
  return kinds;
}

std::vector<int> widths_of(const ModelOptions& model) {
  std::vector<int> widths;
  for (const LayerOptions& layer : model.layers) {
    if (const auto* conv = std::get_if<ConvOptions>(&layer)) widths.push_back(conv->filters);
    if (const auto* dense = std::get_if<DenseOptions>(&layer)) widths.push_back(dense->units);
  }
  return widths;
}

std::vector<float> rates_of(const ModelOptions& model) {
  std::vector<float> rates;
  for (const LayerOptions& layer : model.layers) {
    if (const auto* dropout = std::get_if<DropoutOptions>(&layer)) rates.push_back(dropout->rate);
  }
  return rates;
}

TEST(DefaultsTest, StayWhereNothingIsWritten) {
  Experiment expected;
  expected.name = "tiny";
  expected.data.train.path = "rows.csv";
  expected.model.layers = {FlattenOptions(), DenseOptions{.units = 10}};
  EXPECT_EQ(to_text(parse(kSmallest)), to_text(expected));
}

TEST(DefaultsTest, StayInSectionsThatAreEmpty) {
  const std::string text =
      "name: 'tiny'"
      "data { train { path: 'rows.csv' } test {} shape {} validation {} augmentation {} }"
      "model { layer { flatten {} } layer { dense { units: 10 } } }"
      "training {} optimizer { adam {} } schedule { constant {} }"
      "callbacks { best_checkpoint {} } checkpoint {}";
  EXPECT_EQ(to_text(parse(text)), to_text(parse(kSmallest)));
}

TEST(DefaultsTest, OfCallbacksHoldOnceTheyAreNamed) {
  const CallbackOptions callbacks =
      parse(kSmallest + "callbacks { early_stopping {} reduce_on_plateau {} }").callbacks;
  ASSERT_TRUE(callbacks.early_stopping.has_value());
  ASSERT_TRUE(callbacks.reduce_on_plateau.has_value());
  EXPECT_EQ(callbacks.early_stopping->patience, EarlyStoppingOptions().patience);
  EXPECT_EQ(callbacks.reduce_on_plateau->factor, ReduceOnPlateauOptions().factor);
}

TEST(WordsTest, NameTheirValues) {
  const auto activation = [](const std::string& word) {
    const ModelOptions model = parse(kSmallest, {"model.layer[1].dense.activation=" + word}).model;
    return std::get<DenseOptions>(model.layers[1]).activation;
  };
  EXPECT_EQ(activation("NONE"), ActivationKind::kNone);
  EXPECT_EQ(activation("RELU"), ActivationKind::kRelu);
  EXPECT_EQ(activation("LEAKY_RELU"), ActivationKind::kLeakyRelu);
  EXPECT_EQ(activation("GELU"), ActivationKind::kGelu);
  EXPECT_EQ(activation("SILU"), ActivationKind::kSilu);
  EXPECT_EQ(activation("TANH"), ActivationKind::kTanh);
  EXPECT_EQ(activation("SIGMOID"), ActivationKind::kSigmoid);
  EXPECT_EQ(activation("HARD_SWISH"), ActivationKind::kHardSwish);
  EXPECT_EQ(activation("RELU6"), ActivationKind::kRelu6);
  const auto initializer = [](const std::string& word) {
    const ModelOptions model = parse(kSmallest, {"model.layer[1].dense.initializer=" + word}).model;
    return std::get<DenseOptions>(model.layers[1]).initializer;
  };
  EXPECT_EQ(initializer("GLOROT_UNIFORM"), Initializer::kGlorotUniform);
  EXPECT_EQ(initializer("GLOROT_NORMAL"), Initializer::kGlorotNormal);
  EXPECT_EQ(initializer("HE_UNIFORM"), Initializer::kHeUniform);
  EXPECT_EQ(initializer("HE_NORMAL"), Initializer::kHeNormal);
  EXPECT_EQ(initializer("PYTORCH"), Initializer::kPytorch);
  EXPECT_EQ(initializer("KAIMING_NORMAL_FAN_OUT"), Initializer::kKaimingNormalFanOut);
  EXPECT_EQ(initializer("TRUNCATED_NORMAL"), Initializer::kTruncatedNormal);
  const auto normalization = [](const std::string& word) {
    return parse(kSmallest, {"data.normalization=" + word}).data.normalization;
  };
  EXPECT_EQ(normalization("UNIT"), NormalizationKind::kUnit);
  EXPECT_EQ(normalization("STANDARDIZE"), NormalizationKind::kStandardize);
  EXPECT_EQ(normalization("NONE"), NormalizationKind::kNone);
  const auto device = [](const std::string& word) {
    return parse(kSmallest, {"device=" + word}).device;
  };
  EXPECT_EQ(device("AUTO"), Device::kAuto);
  EXPECT_EQ(device("CPU"), Device::kCpu);
  EXPECT_EQ(device("CUDA"), Device::kCuda);
  EXPECT_EQ(parse(kSmallest, {"training.precision=BF16"}).parallel.precision, Precision::kBf16);
  EXPECT_EQ(parse(kSmallest, {"training.reduction=NATIVE"}).parallel.reduction, Reduction::kNative);
  const ModelOptions conv =
      parse(kSmallest, {"model.layer[0].conv={ filters: 2 padding: SAME }"}).model;
  EXPECT_EQ(std::get<ConvOptions>(conv.layers[0]).padding, Padding::kSame);
}

TEST(ExperimentTest, BlocksHoldLayers) {
  const std::string text =
      "name: \"tiny\"\n"
      "data { train { path: \"rows.csv\" } }\n"
      "model {\n"
      "  layer { residual { layer { conv { filters: 3 } } layer { batch_norm {} }\n"
      "    shortcut { layer { conv { filters: 3 } } } activation: RELU drop_path: .25 } }\n"
      "  layer { branches { branch {} branch { layer { max_pool {} } } } }\n"
      "  layer { repeat { times: 2 layer { gate { layer { dense { units: 3 } } } } } }\n"
      "}\n";
  const ModelOptions model =
      parse(text, {"model.layer[0].residual.layer[0].conv.kernel=5",
                   "model.layer.1.branches.branch.1.layer.0.max_pool.size=3",
                   "model.layer[2].repeat.times=4",
                   "model.layer[2].repeat.layer[0].gate.layer[0].dense.units=7"})
          .model;
  const auto& residual = std::get<ResidualOptions>(model.layers[0]);
  ASSERT_EQ(residual.layers.size(), 2U);
  EXPECT_EQ(std::get<ConvOptions>(residual.layers[0]).kernel, 5);
  EXPECT_EQ(std::get<ConvOptions>(residual.shortcut.layers.at(0)).filters, 3);
  EXPECT_EQ(residual.activation, ActivationKind::kRelu);
  EXPECT_EQ(residual.drop_path, 0.25F);
  const auto& branches = std::get<BranchesOptions>(model.layers[1]).branches;
  ASSERT_EQ(branches.size(), 2U);
  EXPECT_TRUE(branches[0].layers.empty());
  EXPECT_EQ(std::get<MaxPoolOptions>(branches[1].layers.at(0)).size, 3);
  const auto& repeat = std::get<RepeatOptions>(model.layers[2]);
  EXPECT_EQ(repeat.times, 4);
  const auto& gate = std::get<GateOptions>(repeat.layers.at(0));
  EXPECT_EQ(std::get<DenseOptions>(gate.layers.at(0)).units, 7);
  const std::string written = to_text(parse(text));
  EXPECT_EQ(to_text(parse(written)), written);
  EXPECT_EQ(error_of(text, {"model.layer[0].residual.layer[0].conv.filters=0"}),
            "tiny.textproto with its overrides: model.layer[0].residual.layer[0].conv.filters is "
            "0; expected from 1 to 65536");
  EXPECT_EQ(error_of(text, {"model.layer[1].branches.branch[1].layer[0].max_pool.size=0"}),
            "tiny.textproto with its overrides: "
            "model.layer[1].branches.branch[1].layer[0].max_pool.size is 0; expected from 1 to "
            "4096");
}

TEST(ExperimentTest, SectionsNestedWithoutEndAreRefused) {
  std::string text = "name: \"tiny\" model { ";
  for (int i = 0; i < 100'000; ++i) text += "layer { residual { ";
  EXPECT_NE(error_of(text).find("recursion limit"), std::string::npos);
}

class RoundTripTest : public testing::TestWithParam<std::vector<std::string>> {};

TEST_P(RoundTripTest, TextParsesToTheSameExperiment) {
  const std::string text = to_text(parse(kSmallest, GetParam()));
  EXPECT_EQ(to_text(parse(text)), text);
}

INSTANTIATE_TEST_SUITE_P(
    Experiments, RoundTripTest,
    testing::Values(
        std::vector<std::string>{},
        std::vector<std::string>{"optimizer.sgd.momentum=.75", "schedule.one_cycle={}"},
        std::vector<std::string>{"optimizer.adamw.weight_decay=0.05",
                                 "schedule.warmup_cosine.warmup_epochs=0.3333333333333333"},
        std::vector<std::string>{"callbacks.early_stopping={}", "callbacks.reduce_on_plateau={}",
                                 "device=CPU", "training.reduction=NATIVE"},
        std::vector<std::string>{"data.train.path=a \"quoted\"\\name", "data.classes=3",
                                 "data.class_names=\303\251t\303\251,it's,\"b\""},
        std::vector<std::string>{"model.layer[0].conv={ filters: 3 padding: SAME bias: false }",
                                 "seed=18446744073709551615"}));

TEST(RoundTripTest, KeepsEveryBitOfNumbers) {
  Experiment experiment = parse(kSmallest);
  auto& rate = std::get<AdamOptions>(experiment.train.optimizer).learning_rate;
  // The third one's shortest text rounds to a neighbour when read as a double first.
  for (const float value : {0.1F, 1.0F / 3, 7.038531e-26F, std::numeric_limits<float>::min(),
                            std::numeric_limits<float>::denorm_min(),
                            std::numeric_limits<float>::max(), std::nextafter(1.0F, 0.0F)}) {
    rate = value;
    experiment.data.validation.fraction = std::nextafter(0.1, 1.0);
    const Experiment read = parse(to_text(experiment));
    EXPECT_EQ(std::get<AdamOptions>(read.train.optimizer).learning_rate, value);
    EXPECT_EQ(read.data.validation.fraction, std::nextafter(0.1, 1.0));
  }
}

TEST(RoundTripTest, WritesTheShortestNumbersAndPlainLetters) {
  const std::string text =
      to_text(parse(kSmallest, {"optimizer.adam.learning_rate=0.1234567", "data.classes=2",
                                "data.class_names=\303\251t\303\251,b"}));
  EXPECT_NE(text.find("learning_rate: 0.1234567\n"), std::string::npos) << text;
  EXPECT_NE(text.find("beta2: 0.999\n"), std::string::npos) << text;
  EXPECT_NE(text.find("class_names: \"\303\251t\303\251\"\n"), std::string::npos) << text;
}

TEST(DigestTest, IsThatOfTheText) {
  const Experiment experiment = parse(kSmallest);
  EXPECT_EQ(digest_of(experiment), digest_of(std::string_view(to_text(experiment))));
}

TEST(DigestTest, DependsOnTheExperimentAndNotOnItsFile) {
  const Digest digest = digest_of(parse(kSmallest));
  EXPECT_EQ(digest_of(parse("# a comment\nseed: 1\n" + kSmallest)), digest);
  EXPECT_NE(digest_of(parse(kSmallest, {"seed=2"})), digest);
}

TEST(ConfigsTest, AllLoadUnderTheNamesOfTheirFiles) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(configs_folder())) {
    if (entry.path().extension() != ".textproto") continue;
    const Experiment experiment = load_experiment(entry.path().string(), {});
    EXPECT_EQ(experiment.name, entry.path().stem());
    EXPECT_EQ(to_text(parse(to_text(experiment))), to_text(experiment));
    names.insert(experiment.name);
  }
  for (const char* name : {"digits", "digits_mlp", "digits_fast", "fashion"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

TEST(ConfigsTest, DigitsIsTheReferenceNetwork) {
  const Experiment digits = shipped("digits");
  EXPECT_EQ(kinds_of(digits.model),
            "conv batch_norm conv max_pool dropout conv batch_norm conv max_pool dropout "
            "conv batch_norm dropout flatten dense batch_norm dropout dense dropout dense ");
  EXPECT_EQ(widths_of(digits.model), (std::vector{32, 32, 64, 64, 128, 512, 256, 10}));
  EXPECT_EQ(rates_of(digits.model), (std::vector{.25F, .25F, .25F, .5F, .5F}));
  EXPECT_EQ(digits.parallel.global_batch, 128);
  EXPECT_EQ(digits.parallel.lanes, 4);
  EXPECT_EQ(digits.parallel.precision, Precision::kFp32);
  EXPECT_EQ(digits.train.epochs, 50);
  EXPECT_EQ(std::get<AdamOptions>(digits.train.optimizer).learning_rate, 1e-3F);
  ASSERT_TRUE(digits.callbacks.early_stopping.has_value());
  ASSERT_TRUE(digits.callbacks.reduce_on_plateau.has_value());
}

TEST(ConfigsTest, DigitsFastIsTheSameNetworkWithLessDropout) {
  const Experiment fast = shipped("digits_fast");
  EXPECT_EQ(kinds_of(fast.model), kinds_of(shipped("digits").model));
  EXPECT_EQ(widths_of(fast.model), widths_of(shipped("digits").model));
  EXPECT_EQ(rates_of(fast.model), (std::vector{.075F, .075F, .075F, .15F, .15F}));
  EXPECT_EQ(fast.parallel.precision, Precision::kBf16);
  EXPECT_TRUE(std::holds_alternative<OneCycleSchedule>(fast.train.schedule));
}

TEST(DifferingFields, AreNamedWithoutTheMessagesAroundThem) {
  const Experiment a = parse(kSmallest);
  EXPECT_EQ(differing_fields(a, a), std::vector<std::string>{});
  const Experiment b = parse(kSmallest, {"training.epochs=3", "data.train.path=other.csv"});
  EXPECT_EQ(differing_fields(a, b),
            (std::vector<std::string>{"data.train.path", "training.epochs"}));
  std::string wide = kSmallest;
  wide.replace(wide.find("units: 10"), 9, "units: 11");
  wide.replace(wide.find("flatten"), 7, "batch_norm");
  EXPECT_EQ(differing_fields(a, parse(wide, {"data.classes=11"})).back(),
            "model.layer[1].dense.units");
}

}  // namespace
}  // namespace lockstep
