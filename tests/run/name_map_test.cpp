// The names of torchvision 0.26's resnet18(), resnet34() and resnet50().

#include "run/name_map.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

std::string mapped(NameMap map, const std::string& name) {
  return mapped_name(map, name, "13.dense").value_or("");
}

TEST(NameMap, StemAndHead) {
  for (const NameMap map : {NameMap::kResnet18, NameMap::kResnet34, NameMap::kResnet50}) {
    EXPECT_EQ(mapped(map, "conv1.weight"), "0.conv.weight");
    EXPECT_EQ(mapped(map, "bn1.running_var"), "1.batch_norm.running_var");
    EXPECT_EQ(mapped(map, "fc.bias"), "13.dense.bias");
  }
}

TEST(NameMap, BlocksCountThroughAllStages) {
  EXPECT_EQ(mapped(NameMap::kResnet18, "layer1.0.conv1.weight"), "4.residual.0.conv.weight");
  EXPECT_EQ(mapped(NameMap::kResnet18, "layer1.1.bn2.bias"), "5.residual.4.batch_norm.bias");
  EXPECT_EQ(mapped(NameMap::kResnet18, "layer4.1.conv2.weight"), "11.residual.3.conv.weight");
  EXPECT_EQ(mapped(NameMap::kResnet34, "layer4.2.conv2.weight"), "19.residual.3.conv.weight");
  EXPECT_EQ(mapped(NameMap::kResnet34, "layer3.0.bn1.weight"), "11.residual.1.batch_norm.weight");
  EXPECT_EQ(mapped(NameMap::kResnet50, "layer1.2.conv3.weight"), "6.residual.6.conv.weight");
  EXPECT_EQ(mapped(NameMap::kResnet50, "layer4.2.bn3.running_mean"),
            "19.residual.7.batch_norm.running_mean");
}

TEST(NameMap, Shortcuts) {
  EXPECT_EQ(mapped(NameMap::kResnet18, "layer2.0.downsample.0.weight"),
            "6.residual.shortcut.0.conv.weight");
  EXPECT_EQ(mapped(NameMap::kResnet50, "layer1.0.downsample.1.running_mean"),
            "4.residual.shortcut.1.batch_norm.running_mean");
}

TEST(NameMap, OtherNamesStayAsTheyAre) {
  for (const char* name :
       {"layer1.2.conv1.weight", "layer5.0.conv1.weight", "layer0.0.conv1.weight",
        "layer1.x.conv1.weight", "layer1.0.conv0.weight", "layer1.0.relu.weight", "layer1.0",
        "layer99999999999.0.conv1.weight", "layer", "layer1.", "conv2.weight", ""}) {
    EXPECT_EQ(mapped(NameMap::kResnet18, name), "") << name;
  }
  EXPECT_EQ(mapped(NameMap::kNone, "conv1.weight"), "");
}

}  // namespace
}  // namespace lockstep
