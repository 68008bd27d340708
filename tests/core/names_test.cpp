#include "lockstep/core/names.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lockstep {
namespace {

const std::vector<std::string> kNames = {"epochs", "global_batch", "learning_rate", "lanes"};

TEST(Names, FindsOneEditOfEachKind) {
  EXPECT_EQ(nearest_name("epoch", kNames), "epochs");    // insert
  EXPECT_EQ(nearest_name("epocchs", kNames), "epochs");  // delete
  EXPECT_EQ(nearest_name("epochz", kNames), "epochs");   // replace
  EXPECT_EQ(nearest_name("eopchs", kNames), "epochs");   // swap
  EXPECT_EQ(nearest_name("lanes", kNames), "lanes");
}

TEST(Names, AllowsAThirdOfTheLength) {
  EXPECT_EQ(nearest_name("learn_rate", kNames), "learning_rate");  // 3 edits of 10 letters
  EXPECT_EQ(nearest_name("learn_rat", kNames), "");                // 4 edits of 9 letters
}

TEST(Names, AllowsTwoEditsOfAShortName) {
  EXPECT_EQ(nearest_name("lnes", kNames), "lanes");
  EXPECT_EQ(nearest_name("lns", kNames), "lanes");
  EXPECT_EQ(nearest_name("ls", kNames), "");
}

TEST(Names, CountsASwapOfNeighboursAsOneEdit) {
  const std::vector<std::string> names = {"abXY", "abdc"};  // 2 edits, 1 edit
  EXPECT_EQ(nearest_name("abcd", names), "abdc");
  const std::vector<std::string> three_swaps = {"badcfe"};  // 3 edits of 6 letters
  EXPECT_EQ(nearest_name("abcdef", three_swaps), "");
}

TEST(Names, EditsNoPartTwice) {
  const std::vector<std::string> names = {"abcd"};
  EXPECT_EQ(nearest_name("cad", names), "");  // 3; 2 if a swapped pair might be parted
}

TEST(Names, IsBlindToCase) {
  EXPECT_EQ(nearest_name("LEARNING_RATE", kNames), "learning_rate");
  EXPECT_EQ(nearest_name("LANSE", kNames), "lanes");
}

TEST(Names, TakesTheFirstOfEquals) {
  const std::vector<std::string> names = {"conv1", "conv2"};
  EXPECT_EQ(nearest_name("conv", names), "conv1");
  EXPECT_EQ(nearest_name("conv2", names), "conv2");
}

TEST(Names, FindsNothingAmongNothing) {
  EXPECT_EQ(nearest_name("lanes", {}), "");
  EXPECT_EQ(nearest_name("", kNames), "");
}

TEST(Names, SuggestsInWords) {
  EXPECT_EQ(did_you_mean("epoch", kNames), "; did you mean \"epochs\"?");
  EXPECT_EQ(did_you_mean("temperature", kNames), "");
}

}  // namespace
}  // namespace lockstep
