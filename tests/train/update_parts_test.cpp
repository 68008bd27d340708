// Which parameters have which rate and decay, by hand.

#include "lockstep/train/update_parts.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lockstep/core/error.h"
#include "lockstep/train/optimizer.h"

namespace lockstep {
namespace {

using As = UpdatePart::As;

// Parameters 0.conv.weight [0, 36) .bias [48, 52), 1.batch_norm.scale [64, 68) .shift [80, 84),
// 3.dense.weight [96, 144) .bias [144, 147); each begins at a multiple of 16.
Network network() {
  return Network(
      {{ConvOptions{.filters = 4}, BatchNormOptions{}, FlattenOptions{}, DenseOptions{.units = 3}}},
      {4, 4, 1}, 3);
}

TrainOptions options(const OptimizerOptions& optimizer, Decays decays = Decays::kWeights,
                     std::vector<ParameterGroup> groups = {}) {
  return {.optimizer = optimizer, .decays = decays, .groups = std::move(groups), .schedule = {}};
}

std::string error_of(std::vector<ParameterGroup> groups, const Network& net = network()) {
  try {
    update_parts(net, options(SgdOptions{}, Decays::kWeights, std::move(groups)));
    return {};
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.what();
  }
}

TEST(UpdateParts, AreOneWhereNothingDiffers) {
  const Network net = network();
  const std::vector<UpdatePart> whole{{.range = {0, net.trainable_size()}}};
  EXPECT_EQ(update_parts(net, options(AdamOptions{})), whole);
  EXPECT_EQ(update_parts(net, options(SgdOptions{})), whole);
  EXPECT_EQ(update_parts(net, options(AdamWOptions{.weight_decay = 0.5F}, Decays::kAll)),
            (std::vector<UpdatePart>{{.range = {0, net.trainable_size()}, .decay = 0.5F}}));
}

TEST(UpdateParts, DecayWeightsAlone) {
  EXPECT_EQ(update_parts(network(), options(SgdOptions{.weight_decay = 0.5F})),
            (std::vector<UpdatePart>{{.range = {0, 48}, .decay = 0.5F},
                                     {.range = {48, 96}},
                                     {.range = {96, 144}, .decay = 0.5F},
                                     {.range = {144, 160}}}));
}

TEST(UpdateParts, OfSeveralGroupsTheLastHolds) {
  const std::vector<ParameterGroup> groups = {
      {.layers = {"*"}, .rate_factor = 0.5F},
      {.layers = {"3", "*.batch_norm"}, .rate_factor = 2, .decay_factor = 0.25F}};
  EXPECT_EQ(
      update_parts(network(), options(SgdOptions{.weight_decay = 1}, Decays::kWeights, groups)),
      (std::vector<UpdatePart>{{.range = {0, 48}, .rate_factor = 0.5F, .decay = 1},
                               {.range = {48, 64}, .rate_factor = 0.5F},
                               {.range = {64, 96}, .rate_factor = 2},
                               {.range = {96, 144}, .rate_factor = 2, .decay = 0.25F},
                               {.range = {144, 160}, .rate_factor = 2}}));
}

TEST(UpdateParts, OfRatiosAreParameters) {
  std::vector<As> kinds;
  for (const UpdatePart& part : update_parts(network(), options(LambOptions{}))) {
    kinds.push_back(part.as);
  }
  EXPECT_EQ(kinds, (std::vector{As::kAdapted, As::kElements, As::kAdapted, As::kElements}));
  const auto all = update_parts(network(), options(LarsOptions{}, Decays::kAll));
  EXPECT_EQ(all.size(), 6U);
  for (const UpdatePart& part : all) EXPECT_EQ(part.as, As::kAdapted);
}

TEST(UpdateParts, OfMuonAreMatricesOfARowAUnit) {
  const auto parts = update_parts(network(), options(MuonOptions{.weight_decay = 0.5F}));
  EXPECT_EQ(parts,
            (std::vector<UpdatePart>{
                {.range = {0, 48}, .decay = 0.5F, .as = As::kMatrix, .rows = 4, .columns = 9},
                {.range = {48, 96}},
                {.range = {96, 144}, .decay = 0.5F, .as = As::kMatrix, .rows = 3, .columns = 16},
                {.range = {144, 160}}}));
}

TEST(UpdateParts, GroupsThatMatchNothingAreRefused) {
  EXPECT_EQ(error_of({{.layers = {"0"}}, {.layers = {"1.batch_norm", "3.dens"}}}),
            "optimizer.group[1].layers[1] is \"3.dens\", which matches no parameter; did you mean "
            "\"3.dense\"? (there are those of 0.conv, 1.batch_norm, 3.dense)");
  EXPECT_EQ(error_of({{.layers = {"1"}}, {.layers = {"*"}}}),
            "optimizer.group[0] holds no parameter: later groups match all of its own; expected a "
            "parameter that is its alone");
}

TEST(UpdateParts, GroupsOfFrozenParametersAloneAreRefused) {
  const std::vector<std::string> freeze{"0.*"};
  const Network net({{ConvOptions{.filters = 4}, FlattenOptions{}, DenseOptions{.units = 3}}},
                    {4, 4, 1}, 3, freeze);
  EXPECT_EQ(error_of({{.layers = {"0"}}}, net),
            "optimizer.group[0].layers[0] is \"0\", which matches frozen parameters alone, as "
            "0.conv.weight; expected some that are trained (there are those of 2.dense)");
  EXPECT_EQ(error_of({{.layers = {"*.weight"}}}, net), "");
  EXPECT_EQ(error_of({{.layers = {"1"}}}, net),
            "optimizer.group[0].layers[0] is \"1\", which matches no parameter (there are those "
            "of 2.dense)");
}

}  // namespace
}  // namespace lockstep
