// Logits of a TorchScript file, by LibTorch's own loader: torchscript_logits FILE CHANNELS
// HEIGHT WIDTH takes pixels from stdin as bytes [samples, channels, height, width] and
// prints a line of logits a sample.

#include <ATen/ops/from_blob.h>
#include <torch/csrc/jit/serialization/import.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <string>

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  torch::jit::Module module = torch::jit::load(argv[1]);
  module.eval();
  std::string pixels{std::istreambuf_iterator<char>(std::cin), {}};
  const at::Tensor images =
      at::from_blob(pixels.data(), {static_cast<std::int64_t>(pixels.size())}, at::kByte)
          .reshape({-1, std::atoi(argv[2]), std::atoi(argv[3]), std::atoi(argv[4])});
  const at::Tensor logits = module.forward({images}).toTensor();
  for (std::int64_t row = 0; row < logits.size(0); ++row) {
    for (std::int64_t column = 0; column < logits.size(1); ++column) {
      std::printf("%.9g ", logits[row][column].item<double>());
    }
    std::printf("\n");
  }
}
