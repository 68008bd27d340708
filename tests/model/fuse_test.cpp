// Which primitives become one op.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "lockstep/core/match.h"
#include "lockstep/model/network.h"

namespace lockstep {
namespace {

const ConvOptions kConv{.filters = 3, .kernel = 1};
const BatchNormOptions kNorm{};
const ActivationOptions kRelu{ActivationKind::kRelu};
const DropoutOptions kDrop{.rate = 0.5F};

std::string name_of(const NormOp& norm) {
  return fmt::format("{}norm{}{}{}", norm.relu_before ? "relu " : "", norm.adds ? " add" : "",
                     norm.relu_after ? " relu" : "", norm.drop.drops() ? " drop" : "");
}
std::string name_of(const SumOp& sum) { return sum.relu ? "sum relu" : "sum"; }
template <typename Work>
std::string name_of(const Work& /*work*/) {
  return Work::kName;
}

// The ops of the network of those layers and a dense one, each with the number of its inputs where
// it has several.
std::vector<std::string> plan_of(std::vector<LayerOptions> layers) {
  layers.insert(layers.begin(), kConv);
  layers.emplace_back(FlattenOptions{});
  layers.emplace_back(DenseOptions{.units = 2});
  const Network network({layers}, {4, 4, 1}, 2);
  std::vector<std::string> names;
  for (const Op& op : network.plan()) {
    names.push_back(std::visit([](const auto& work) { return name_of(work); }, op.work));
    if (op.in.size() > 1) names.back() += fmt::format(" of {}", op.in.size());
  }
  EXPECT_EQ(names.front(), "conv");
  EXPECT_EQ(names.back(), "dense");
  return {names.begin() + 1, names.end() - 1};
}

using Names = std::vector<std::string>;
using Layers = std::vector<LayerOptions>;

ResidualOptions residual(Layers layers, Layers shortcut = {},
                         ActivationKind activation = ActivationKind::kNone) {
  return {.layers = std::move(layers),
          .shortcut = {std::move(shortcut)},
          .activation = activation,
          .drop_path = 0};
}

TEST(Fuse, TheEndOfAResidualBlockIsOneOp) {
  EXPECT_EQ(plan_of({residual({kConv, kNorm, kRelu, kConv, kNorm}, {}, ActivationKind::kRelu)}),
            (Names{"conv", "norm relu", "conv", "norm add relu of 2"}));
  EXPECT_EQ(plan_of({residual({kConv, kNorm})}), (Names{"conv", "norm add of 2"}));
  EXPECT_EQ(plan_of({residual({kConv, kNorm}, {kConv, kNorm}), kRelu}),
            (Names{"conv", "conv", "norm", "norm add relu of 2"}));
  EXPECT_EQ(plan_of({residual({kConv}, {kConv, kNorm})}), (Names{"conv", "conv", "norm add of 2"}));
}

TEST(Fuse, ASumWithNoPlainNormBeforeItIsAnOpOfItsOwn) {
  EXPECT_EQ(plan_of({residual({kConv, kNorm, kRelu})}), (Names{"conv", "norm relu", "sum of 2"}));
  EXPECT_EQ(plan_of({residual({kConv, kRelu, kNorm})}), (Names{"conv", "relu norm", "sum of 2"}));
  EXPECT_EQ(plan_of({residual({kConv, kNorm, kDrop})}), (Names{"conv", "norm drop", "sum of 2"}));
  EXPECT_EQ(plan_of({kNorm, residual({kConv})}), (Names{"norm", "conv", "sum of 2"}));
  ResidualOptions dropped = residual({kConv, kNorm}, {}, ActivationKind::kRelu);
  dropped.drop_path = 0.5F;
  EXPECT_EQ(plan_of({dropped}), (Names{"conv", "norm", "drop_path", "sum relu of 2"}));
}

TEST(Fuse, NothingIsDroppedWithinASum) {
  EXPECT_EQ(plan_of({residual({kConv, kNorm}), kDrop}), (Names{"conv", "norm add of 2", "gate"}));
}

}  // namespace
}  // namespace lockstep
