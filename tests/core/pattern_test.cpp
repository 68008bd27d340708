#include "lockstep/core/pattern.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lockstep {
namespace {

TEST(Pattern, IsForWholeNames) {
  EXPECT_TRUE(matches("0.conv.weight", "0.conv.weight"));
  EXPECT_FALSE(matches("0.conv", "0.conv.weight"));
  EXPECT_FALSE(matches("conv.weight", "0.conv.weight"));
  EXPECT_TRUE(matches("", ""));
  EXPECT_FALSE(matches("", "a"));
  EXPECT_FALSE(matches("a", ""));
}

TEST(Pattern, StarStandsForAnythingOrNothing) {
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("*", "4.residual.0.conv.weight"));
  EXPECT_TRUE(matches("4.*", "4.residual.0.conv.weight"));
  EXPECT_FALSE(matches("4.*", "14.conv.weight"));
  EXPECT_TRUE(matches("*.weight", "4.residual.0.conv.weight"));
  EXPECT_TRUE(matches("4.*.conv.*", "4.residual.0.conv.weight"));
  EXPECT_TRUE(matches("a**b", "ab"));
  // The first places where the parts after a star fit are not the right ones.
  EXPECT_TRUE(matches("*ab*abc", "ababababc"));
  EXPECT_FALSE(matches("*ab*abd", "ababababc"));
  EXPECT_FALSE(matches("*a*a*a*a*a*a*a*a*b", std::string(4000, 'a')));
}

TEST(Pattern, RenamesWhatTheStarsStandFor) {
  EXPECT_EQ(rename_by("module.*", "*", "module.conv1.weight"), "conv1.weight");
  EXPECT_EQ(rename_by("features.*.conv.*", "*.conv.*", "features.3.conv.bias"), "3.conv.bias");
  EXPECT_EQ(rename_by("bn*.*", "1.batch_norm.*", "bn7.weight"), "1.batch_norm.7");
  EXPECT_EQ(rename_by("a.*", "b", "a.x"), "b");
  EXPECT_EQ(rename_by("a.*", "b.*", "c.x"), std::nullopt);
}

TEST(Pattern, LastOneThatFitsDecides) {
  const std::vector<std::string> all_but_head = {"*", "!13.*"};
  EXPECT_TRUE(chooses(all_but_head, "0.conv.weight"));
  EXPECT_FALSE(chooses(all_but_head, "13.dense.bias"));
  const std::vector<std::string> and_its_bias = {"*", "!13.*", "13.dense.bias"};
  EXPECT_TRUE(chooses(and_its_bias, "13.dense.bias"));
  EXPECT_FALSE(chooses(and_its_bias, "13.dense.weight"));
  EXPECT_FALSE(chooses({}, "0.conv.weight"));
}

TEST(Pattern, StandsForTheBeginningOfANameToo) {
  const std::string name = "3.residual.0.conv.weight";
  for (const char* pattern :
       {"3", "3.residual", "3.residual.0.conv", "3.residual.0.conv.weight", "*", "*.conv",
        "*.weight", "?", "3.*.conv", "*.0.*", "3.res*.w?ight"}) {
    EXPECT_TRUE(stands_for(pattern, name)) << pattern;
  }
  for (const char* pattern :
       {"", "3.", "3.res", "residual", "0.conv", "*.bias", "3.residual.0.conv.w", "??", "*.conv.",
        "4*", "3.residual.0.conv.weight.*"}) {
    EXPECT_FALSE(stands_for(pattern, name)) << pattern;
  }
}

}  // namespace
}  // namespace lockstep
