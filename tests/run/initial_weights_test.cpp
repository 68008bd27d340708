// Weights out of files: a network by LibTorch's own functions, in its layouts and with its names,
// gives the logits of ours that took them.

#include "lockstep/run/initial_weights.h"

#include <ATen/ops/batch_norm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/relu.h>
#include <gtest/gtest.h>

#include <cmath>

#include "lockstep/run/trained_model.h"
#include "run/their_weights.h"

namespace lockstep {
namespace {

using namespace test;

void add_norm(Tensors& tensors, const std::string& name, std::int64_t channels) {
  tensors.add(name + ".weight", {channels}, 1, 0.2F);
  tensors.add(name + ".bias", {channels}, 0, 0.3F);
  tensors.add(name + ".running_mean", {channels}, 0.1F, 0.2F);
  tensors.add(name + ".running_var", {channels}, 1, 0.5F);
}

// conv1, bn1, relu, pool, flatten, bn2, fc1, relu, fc.
Tensors theirs(int channels = kShape.channels, int classes = kClasses) {
  Tensors tensors;
  tensors.add("conv1.weight", {6, channels, 3, 3}, 0, 0.3F);
  tensors.add("conv1.bias", {6}, 0, 0.2F);
  add_norm(tensors, "bn1", 6);
  add_norm(tensors, "bn2", 6 * 4 * 3);
  tensors.add("fc1.weight", {11, 6 * 4 * 3}, 0, 0.2F);
  tensors.add("fc1.bias", {11}, 0, 0.2F);
  tensors.add("fc.weight", {classes, 11}, 0, 0.4F);
  tensors.add("fc.bias", {classes}, 0, 0.4F);
  return tensors;
}

Network ours(int channels = kShape.channels) {
  return Network({{ConvOptions{.filters = 6, .kernel = 3, .padding = Padding::kSame},
                   BatchNormOptions{.epsilon = 1e-5F}, ActivationOptions{}, MaxPoolOptions{},
                   FlattenOptions{}, BatchNormOptions{.epsilon = 1e-5F},
                   DenseOptions{.units = 11, .activation = ActivationKind::kRelu},
                   DenseOptions{.units = kClasses}}},
                 {kShape.height, kShape.width, channels}, kClasses);
}

InitializeOptions options() {
  InitializeOptions options;
  options.path = "theirs.safetensors";
  options.rename = {{"conv1.*", "0.conv.*"},
                    {"bn1.*", "1.batch_norm.*"},
                    {"bn2.*", "5.batch_norm.*"},
                    {"fc1.*", "6.dense.*"},
                    {"fc.*", "7.dense.*"}};
  return options;
}

at::Tensor their_logits(Tensors& tensors, at::Tensor x) {
  const auto norm = [&](const std::string& name, const at::Tensor& y) {
    return at::batch_norm(y, tensors.at(name + ".weight"), tensors.at(name + ".bias"),
                          tensors.at(name + ".running_mean"), tensors.at(name + ".running_var"),
                          /*training=*/false, 0.1, 1e-5, false);
  };
  x = at::conv2d(x, tensors.at("conv1.weight"), tensors.at("conv1.bias"), 1, 1);
  x = at::max_pool2d(at::relu(norm("bn1", x)), {2, 2});
  x = norm("bn2", x.flatten(1));
  x = at::relu(at::linear(x, tensors.at("fc1.weight"), tensors.at("fc1.bias")));
  return at::linear(x, tensors.at("fc.weight"), tensors.at("fc.bias"));
}

TEST(InitialWeights, GiveTheirLogits) {
  Tensors tensors = theirs();
  const Network network = ours();
  const InitialWeights initial = take_weights(network, options(), tensors.file(), kSeed);
  EXPECT_EQ(initial.layouts, Layouts::kPytorch);
  EXPECT_EQ(initial.rows.size(), network.parameters().size());
  for (const InitialRow& row : initial.rows) EXPECT_TRUE(row.taken) << row.parameter;
  const Batch batch = batch_of(3);
  expect_near(our_logits(network, initial, batch), their_logits(tensors, images_of(batch, 3)));
}

// A grey image in three equal channels is what the three were trained on.
TEST(InitialWeights, ThreeChannelsAreSummedForAGreyImage) {
  Tensors tensors = theirs();
  const Network network = ours(1);
  const InitialWeights initial = take_weights(network, options(), tensors.file(), kSeed);
  EXPECT_EQ(outcome_of(initial, "0.conv.weight"), "taken, its 3 channels summed to 1");
  const Batch batch = batch_of(1);
  expect_near(our_logits(network, initial, batch),
              their_logits(tensors, images_of(batch, 1).expand({-1, 3, -1, -1})));
}

TEST(InitialWeights, OneChannelIsDividedAmongThree) {
  Tensors tensors = theirs(1);
  const Network network = ours(3);
  const InitialWeights initial = take_weights(network, options(), tensors.file(), kSeed);
  EXPECT_EQ(outcome_of(initial, "0.conv.weight"), "taken, its channel divided among 3");
  const Batch batch = batch_of(3);
  expect_near(our_logits(network, initial, batch),
              their_logits(tensors, images_of(batch, 3).mean(1, /*keepdim=*/true)));
}

// Their file has all three channels for each filter, not one of the images'.
TEST(InitialWeights, NoChannelsAreSummedForGroups) {
  Tensors tensors;
  tensors.add("0.conv.weight", {3, 3, 3, 3}, 0, 1);
  const Network network(
      {{ConvOptions{.filters = 3, .groups = 3}, FlattenOptions{}, LogitsOptions{}}}, kShape,
      kClasses);
  EXPECT_EQ(refusal(network, {}, tensors.file()),
            "tensor \"0.conv.weight\" has the shape [3, 3, 3, 3], \"0.conv.weight\" of the model "
            "[3, 3, 3, 1]; change the model, or leave it out by initialize.skip");
}

TEST(InitialWeights, OfAFileOfOursAreTheSameValues) {
  const Network network = ours();
  const std::vector<float> values = network.initial_weights(kSeed + 1);
  const SafetensorsFile file(
      to_safetensors(tensors_of(network, values), {{kExperimentKey, "name: \"x\""}}), "ours",
      Dtypes::kAny);
  const InitialWeights initial = take_weights(network, {}, file, kSeed);
  EXPECT_EQ(initial.layouts, Layouts::kOurs);
  EXPECT_EQ(initial.values, values);
  EXPECT_EQ(initial.digest, Weights(values, Precision::kFp32).digest(network));
}

TEST(InitialWeights, HeadOfOtherClassesIsDrawnAnew) {
  const Network network = ours();
  const InitialWeights initial = take_weights(network, options(), theirs(3, 1000).file(), kSeed);
  EXPECT_EQ(outcome_of(initial, "7.dense.weight"), "drawn anew: 1000 classes there, 5 here");
  EXPECT_EQ(outcome_of(initial, "7.dense.bias"), "drawn anew: 1000 classes there, 5 here");
  const std::vector<float> drawn = network.initial_weights(kSeed);
  for (const Parameter& parameter : network.parameters()) {
    const auto first = static_cast<std::size_t>(parameter.range.first);
    const bool is_head = parameter.name.starts_with("7.");
    EXPECT_EQ(initial.values[first] == drawn[first], is_head) << parameter.name;
  }
}

// The head of 7 classes, whose other tensor is of as many as here.
TEST(InitialWeights, AHeadIsDrawnAnewAsAWhole) {
  const Network network = ours();
  const std::vector<float> drawn = network.initial_weights(kSeed);
  const auto expect_drawn = [&](const std::string& tensor, const Shape& shape) {
    Tensors tensors = theirs();
    tensors.rename(tensor, "other");
    tensors.add(tensor, shape, 0, 1);
    const InitialWeights initial = take_weights(network, options(), tensors.file(), kSeed);
    for (const Parameter& parameter : network.parameters()) {
      if (!parameter.name.starts_with("7.")) continue;
      const auto first = static_cast<std::size_t>(parameter.range.first);
      EXPECT_EQ(initial.values[first], drawn[first]) << parameter.name;
    }
    return std::pair(outcome_of(initial, "7.dense.weight"), outcome_of(initial, "7.dense.bias"));
  };
  const std::string anew = "drawn anew: 7 classes there, 5 here";
  EXPECT_EQ(expect_drawn("fc.weight", {7, 11}),
            std::pair(anew, std::string("drawn anew with its weight")));
  EXPECT_EQ(expect_drawn("fc.bias", {7}), std::pair(std::string("drawn anew with its bias"), anew));
}

TEST(InitialWeights, SkippedOnesAreDrawn) {
  const Network network = ours();
  InitializeOptions skipping = options();
  skipping.skip = {"6.*"};
  Tensors tensors = theirs();
  tensors.values("fc1.bias").assign(11, NAN);  // not even looked at
  const InitialWeights initial = take_weights(network, skipping, tensors.file(), kSeed);
  const std::vector<float> drawn = network.initial_weights(kSeed);
  for (const Parameter& parameter : network.parameters()) {
    const auto first = static_cast<std::size_t>(parameter.range.first);
    const bool skipped = parameter.name.starts_with("6.");
    EXPECT_EQ(initial.values[first] == drawn[first], skipped) << parameter.name;
    EXPECT_EQ(outcome_of(initial, parameter.name) == "skipped", skipped) << parameter.name;
  }
}

TEST(InitialWeights, TableTellsOfEveryParameterAndTensor) {
  Tensors tensors = theirs();
  tensors.rename("fc1.bias", "module.extra\x1b[31m");
  const Network network(
      {{ConvOptions{.filters = 6, .padding = Padding::kSame}, BatchNormOptions{},
        ActivationOptions{}, MaxPoolOptions{}, FlattenOptions{}, BatchNormOptions{},
        DenseOptions{.units = 11}, DenseOptions{.units = kClasses}}},
      kShape, kClasses, std::vector<std::string>{"0.*", "1.*"});
  const InitialWeights initial = take_weights(network, options(), tensors.file(), kSeed);
  const std::string table = initial_table(network, initial, "theirs.safetensors");
  const auto has = [&](const std::string& text) { return table.find(text) != std::string::npos; };
  EXPECT_TRUE(has("weights to begin with, of theirs.safetensors (PyTorch's layouts)\n")) << table;
  EXPECT_TRUE(has("taken; frozen\n")) << table;
  EXPECT_TRUE(
      has("6.dense.bias                   11       -                     not in the file\n"))
      << table;
  EXPECT_TRUE(has("module.extra\\x1b[31m  unused\n")) << table;
  EXPECT_TRUE(has("13 of 14 parameters taken, 6 frozen; 1 tensor unused; they begin as xxh3:" +
                  initial.digest.hex() + "\n"))
      << table;
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 1 + 1 + 14 + 1 + 1);
}

TEST(InitialWeights, WhatDoesNotFitIsRefusedInOneLine) {
  const Network network = ours();
  const auto with = [&](auto change) {
    Tensors tensors = theirs();
    InitializeOptions changed = options();
    change(tensors, changed);
    return refusal(network, changed, tensors.file());
  };
  EXPECT_EQ(with([](Tensors& tensors, InitializeOptions&) {
              tensors.add("x", {12, 72}, 0, 1);
              tensors.rename("fc1.weight", "y");
              tensors.rename("x", "fc1.weight");
            }),
            "tensor \"fc1.weight\" has the shape [12, 72], \"6.dense.weight\" of the model "
            "[11, 72]; change the model, or leave it out by initialize.skip");
  EXPECT_EQ(with([](Tensors& tensors, InitializeOptions&) {
              tensors.add("x", {6, 3, 5, 4}, 0, 1);
              tensors.rename("conv1.weight", "y");
              tensors.rename("x", "conv1.weight");
            }),
            "tensor \"conv1.weight\" has the shape [6, 3, 5, 4], so [6, 5, 4, 3] here, "
            "\"0.conv.weight\" of the model [6, 3, 3, 3]; change the model, or leave it out by "
            "initialize.skip");
  EXPECT_EQ(
      with([](Tensors& tensors, InitializeOptions&) { tensors.values("bn1.bias")[3] = INFINITY; }),
      "tensor \"bn1.bias\": not all of its values are finite");
  EXPECT_EQ(
      with([](Tensors& tensors, InitializeOptions&) { tensors.values("bn2.running_var")[7] = -1; }),
      "tensor \"bn2.running_var\" has the value -1; a running variance is 0 or more");
  EXPECT_EQ(with([](Tensors& tensors, InitializeOptions&) {
              tensors.add("0.conv.weight", {6, 3, 3, 3}, 0, 1);
            }),
            "tensors \"conv1.weight\" and \"0.conv.weight\" are both for \"0.conv.weight\"; "
            "expected one");
  EXPECT_EQ(with([](Tensors&, InitializeOptions& options) { options.skip = {"8.*"}; }),
            "initialize.skip: \"8.*\" is for no parameter");
  EXPECT_EQ(with([](Tensors&, InitializeOptions& options) {
              options.rename.push_back({"cnv1.*", "0.conv.*"});
            }),
            "initialize.rename[5].from: \"cnv1.*\" is for no tensor of the file");
  EXPECT_EQ(with([](Tensors&, InitializeOptions& options) { options.rename.clear(); }),
            "none of its 14 tensors is taken: they are called as \"conv1.weight\", the model's "
            "parameters as \"0.conv.weight\"; initialize.map and rename bring names together");
}

TEST(InitialWeights, ValuesBeyondFp32AreNamedSo) {
  const std::string header = R"({"0.conv.bias":{"dtype":"F64","shape":[6],"data_offsets":[0,48]}})";
  const std::uint64_t length = header.size();
  const std::vector<double> values{0, 1, 2, 3, -1e300, 5};
  const std::string content = std::string(reinterpret_cast<const char*>(&length), sizeof length) +
                              header +
                              std::string(reinterpret_cast<const char*>(values.data()), 48);
  EXPECT_EQ(refusal(ours(), {}, SafetensorsFile(content, "theirs", Dtypes::kAny)),
            "tensor \"0.conv.bias\" has values beyond 3.4e+38, the most of fp32");
}

// Extents of no values, whose product would be many.
TEST(InitialWeights, EmptyTensorsAreNoTrouble) {
  const std::string header =
      R"({"0.conv.weight":{"dtype":"F32","shape":[0,3,1099511627776,3],"data_offsets":[0,0]}})";
  const std::uint64_t length = header.size();
  const std::string content(reinterpret_cast<const char*>(&length), sizeof length);
  EXPECT_NE(refusal(ours(), {}, SafetensorsFile(content + header, "theirs", Dtypes::kAny)), "");
}

}  // namespace
}  // namespace lockstep
