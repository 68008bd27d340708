// Weights of a network to safetensors and back.

#include <gtest/gtest.h>

#include "lockstep/core/error.h"
#include "lockstep/train/trainer.h"

namespace lockstep {
namespace {

Network network(int units) {
  return Network({{FlattenOptions{}, DenseOptions{.units = units}, BatchNormOptions{},
                   DenseOptions{.units = 3}}},
                 {2, 2, 1}, 3);
}

std::string refusal(const Network& net, const SafetensorsFile& file) {
  try {
    weights_from(net, file);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.what();
  }
  return {};
}

TEST(WeightsFile, ComeBackWithTheirNamesAndShapes) {
  const Network net = network(5);
  const std::vector<float> values = net.initial_weights(3);
  const auto tensors = tensors_of(net, values);
  ASSERT_EQ(tensors.size(), 8U);
  EXPECT_EQ(tensors[0].name, "1.dense.weight");
  EXPECT_EQ(tensors[0].shape, (std::vector<std::int64_t>{5, 4}));
  EXPECT_EQ(tensors[7].name, "2.batch_norm.running_variance");
  const SafetensorsFile file(to_safetensors(tensors, {}), "memory");
  EXPECT_EQ(weights_from(net, file), values);
}

TEST(WeightsFile, OfAnotherNetworkAreRefused) {
  const std::vector<float> values = network(5).initial_weights(3);
  const auto tensors = tensors_of(network(5), values);
  const SafetensorsFile file(to_safetensors(tensors, {}), "memory");
  EXPECT_EQ(refusal(network(6), file),
            "tensor \"1.dense.weight\" has the shape [5, 4], the model's has [6, 4]");
  const SafetensorsFile fewer(to_safetensors(std::span(tensors).first(7), {}), "memory");
  EXPECT_EQ(refusal(network(5), fewer), "the file has 7 tensors, the model 8");
  auto renamed = tensors;
  renamed[2].name = "2.batch_norm.gain";
  const SafetensorsFile other(to_safetensors(renamed, {}), "memory");
  EXPECT_EQ(refusal(network(5), other), "memory: has no tensor \"2.batch_norm.scale\"");
}

}  // namespace
}  // namespace lockstep
