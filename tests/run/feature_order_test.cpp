// What follows a flattened image, wherever it goes: networks by LibTorch's own functions, in its
// order of features, give the logits of ours that took their weights.

#include "run/feature_order.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <gtest/gtest.h>

#include <functional>

#include "run/their_weights.h"

namespace lockstep {
namespace {

using namespace test;

constexpr int kFlat = 4 * 3 * 4;  // of the images once pooled, of 4 channels

using Layers = std::vector<LayerOptions>;

// Convolution and pooling, then what is tried, then the logits.
class AfterFlatten : public testing::Test {
 protected:
  AfterFlatten() {
    tensors_.add("0.conv.weight", {4, kShape.channels, 3, 3}, 0, 0.3F);
    tensors_.add("0.conv.bias", {4}, 0, 0.2F);
  }

  void add_dense(const std::string& name, std::int64_t units, std::int64_t inputs) {
    tensors_.add(name + ".weight", {units, inputs}, 0, 0.3F);
    tensors_.add(name + ".bias", {units}, 0, 0.4F);
  }

  void add_norm(const std::string& name, std::int64_t features) {
    tensors_.add(name + ".weight", {features}, 1, 0.4F);
    tensors_.add(name + ".bias", {features}, 0, 0.4F);
  }

  at::Tensor dense(const std::string& name, const at::Tensor& x) {
    return at::linear(x, tensors_.at(name + ".weight"), tensors_.at(name + ".bias"));
  }

  at::Tensor pooled(const at::Tensor& images) {
    return at::max_pool2d(at::relu(at::conv2d(images, tensors_.at("0.conv.weight"),
                                              tensors_.at("0.conv.bias"), 1, 1)),
                          {2, 2});
  }

  static Network network_of(Layers tried) {
    Layers layers{
        ConvOptions{.filters = 4, .padding = Padding::kSame, .activation = ActivationKind::kRelu},
        MaxPoolOptions{}};
    layers.insert(layers.end(), tried.begin(), tried.end());
    layers.emplace_back(LogitsOptions{});
    return Network({layers}, kShape, kClasses);
  }

  // What of the pooled images should become the logits.
  void expect_their_logits(Layers tried, const std::function<at::Tensor(at::Tensor)>& theirs) {
    const Network network = network_of(std::move(tried));
    const InitialWeights initial = take_weights(network, {}, tensors_.file(), kSeed);
    for (const InitialRow& row : initial.rows) EXPECT_TRUE(row.taken) << row.parameter;
    const Batch batch = batch_of(kShape.channels);
    expect_near(our_logits(network, initial, batch),
                theirs(pooled(images_of(batch, kShape.channels))));
  }

  std::string refusal_of(Layers tried) {
    return refusal(network_of(std::move(tried)), {}, tensors_.file());
  }

  Tensors tensors_;
};

TEST_F(AfterFlatten, JoinedImages) {
  tensors_.add("2.branches.1.0.conv.weight", {2, 4, 3, 3}, 0, 0.3F);
  tensors_.add("2.branches.1.0.conv.bias", {2}, 0, 0.3F);
  add_dense("3.logits", kClasses, kFlat + kFlat / 2 + 4);
  expect_their_logits(
      {BranchesOptions{{{{FlattenOptions{}}},
                        {{ConvOptions{.filters = 2, .padding = Padding::kSame}, FlattenOptions{}}},
                        {{AvgPoolOptions{.global = true}, FlattenOptions{}}}}}},
      [&](const at::Tensor& x) {
        const at::Tensor conv = at::conv2d(x, tensors_.at("2.branches.1.0.conv.weight"),
                                           tensors_.at("2.branches.1.0.conv.bias"), 1, 1);
        return dense("3.logits", at::cat({x.flatten(1), conv.flatten(1), x.mean({2, 3})}, 1));
      });
}

TEST_F(AfterFlatten, SumsWithDenseLayers) {
  add_dense("3.residual.0.dense", 10, kFlat);
  add_dense("3.residual.1.dense", kFlat, 10);
  add_norm("4.layer_norm", kFlat);
  add_dense("5.residual.0.dense", kFlat, kFlat);
  add_dense("5.residual.shortcut.0.dense", kFlat, kFlat);
  add_dense("6.residual.0.dense", kFlat, kFlat);
  add_dense("7.logits", kClasses, kFlat);
  expect_their_logits(
      {FlattenOptions{},
       ResidualOptions{.layers = {DenseOptions{.units = 10}, DenseOptions{.units = kFlat}},
                       .shortcut = {}},
       LayerNormOptions{},
       ResidualOptions{.layers = {DenseOptions{.units = kFlat}},
                       .shortcut = {{DenseOptions{.units = kFlat}}}},
       ResidualOptions{.layers = {DenseOptions{.units = kFlat}},
                       .shortcut = {},
                       .activation = ActivationKind::kRelu}},
      [&](const at::Tensor& image) {
        at::Tensor x = image.flatten(1);
        x = x + dense("3.residual.1.dense", dense("3.residual.0.dense", x));
        x = at::layer_norm(x, {kFlat}, tensors_.at("4.layer_norm.weight"),
                           tensors_.at("4.layer_norm.bias"), 1e-6);
        x = dense("5.residual.0.dense", x) + dense("5.residual.shortcut.0.dense", x);
        return dense("7.logits", at::relu(x + dense("6.residual.0.dense", x)));
      });
}

// The two last dense layers share an order of a flattened image and ten features; neither ends
// where the image does.
TEST_F(AfterFlatten, GateOfAJoin) {
  constexpr int kJoined = kFlat + 10;
  constexpr int kFirst = 52;
  add_dense("2.branches.1.1.dense", 10, kFlat);
  add_dense("3.gate.0.branches.0.0.dense", kFirst, kJoined);
  add_dense("3.gate.0.branches.1.0.dense", kJoined - kFirst, kJoined);
  add_dense("4.logits", kClasses, kJoined);
  const auto join = [](const Layers& a, const Layers& b) { return BranchesOptions{{{a}, {b}}}; };
  expect_their_logits(
      {join({FlattenOptions{}}, {FlattenOptions{}, DenseOptions{.units = 10}}),
       GateOptions{
           {join({DenseOptions{.units = kFirst}}, {DenseOptions{.units = kJoined - kFirst}}),
            ActivationOptions{ActivationKind::kSigmoid}}}},
      [&](const at::Tensor& image) {
        const at::Tensor flat = image.flatten(1);
        const at::Tensor x = at::cat({flat, dense("2.branches.1.1.dense", flat)}, 1);
        const at::Tensor gate = at::cat(
            {dense("3.gate.0.branches.0.0.dense", x), dense("3.gate.0.branches.1.0.dense", x)}, 1);
        return dense("4.logits", x * at::sigmoid(gate));
      });
}

TEST_F(AfterFlatten, OneGroupOfANorm) {
  add_norm("3.group_norm", kFlat);
  add_dense("4.logits", kClasses, kFlat);
  expect_their_logits({FlattenOptions{}, GroupNormOptions{.groups = 1}}, [&](const at::Tensor& x) {
    return dense("4.logits",
                 at::group_norm(x.flatten(1), 1, tensors_.at("3.group_norm.weight"),
                                tensors_.at("3.group_norm.bias"), 1e-5, /*cudnn_enabled=*/false));
  });
}

TEST_F(AfterFlatten, WhatNoOrderMakesEqualIsRefused) {
  add_norm("3.group_norm", kFlat);
  add_dense("3.logits", kClasses, kFlat);
  EXPECT_EQ(refusal_of({FlattenOptions{}, GroupNormOptions{.groups = 4}}),
            "tensor \"3.group_norm.weight\", \"3.group_norm.scale\" of the model: groups of a "
            "flattened image hold other values in PyTorch; normalize before flatten, or in one "
            "group, or leave it out by initialize.skip");
  const ConvOptions halving{.filters = 12, .stride = 2, .padding = Padding::kSame};
  EXPECT_EQ(refusal_of({ResidualOptions{.layers = {halving, FlattenOptions{}},
                                        .shortcut = {{FlattenOptions{}}}}}),
            "tensor \"3.logits.weight\", \"3.logits.weight\" of the model: sums and products of "
            "images flattened from several shapes pair other values in PyTorch; bring them to one "
            "shape before flatten, or leave it out by initialize.skip");
}

}  // namespace
}  // namespace lockstep
