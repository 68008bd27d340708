// The networks of configs/ that are others': parameters and multiply-adds as those state them for
// images of 224x224 and 1000 classes.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lockstep/config/experiment.h"
#include "lockstep/model/network.h"

namespace lockstep {
namespace {

Network shipped(const std::string& name, const std::string& last_layer) {
  const Experiment experiment =
      load_experiment(std::string(LOCKSTEP_SOURCE_DIR) + "/configs/" + name + ".textproto",
                      std::vector<std::string>{"model.layer[" + last_layer + "].dense.units=1000"});
  return Network(experiment.model, {224, 224, 3}, 1000);
}

std::int64_t multiply_adds(const Network& network) {
  std::int64_t sum = 0;
  for (const LayerInfo& layer : network.layers()) sum += layer.multiply_adds;
  return sum;
}

TEST(ShippedNetworks, ResNetsAreTorchvisions) {
  const Network resnet18 = shipped("resnet18", "13");
  EXPECT_EQ(resnet18.trainable_parameter_count(), 11'689'512);
  EXPECT_EQ(multiply_adds(resnet18), 1'814'073'344);
  const Network resnet50 = shipped("resnet50", "21");
  EXPECT_EQ(resnet50.trainable_parameter_count(), 25'557'032);
  EXPECT_EQ(multiply_adds(resnet50), 4'089'184'256);
}

// Of Sandler et al. (2018), table 2.
TEST(ShippedNetworks, MobileNetHasTheParametersOfItsPaper) {
  EXPECT_EQ(shipped("mobilenet", "66").trainable_parameter_count(), 3'504'872);
}

}  // namespace
}  // namespace lockstep
