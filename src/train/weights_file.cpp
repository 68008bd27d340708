#include <algorithm>

#include "lockstep/core/error.h"
#include "lockstep/train/trainer.h"

namespace lockstep {

std::vector<TensorView> tensors_of(const Network& network, std::span<const float> values) {
  std::vector<TensorView> tensors;
  for (const Parameter& parameter : network.parameters()) {
    tensors.push_back({parameter.name, parameter.shape,
                       values.subspan(static_cast<std::size_t>(parameter.range.first),
                                      static_cast<std::size_t>(parameter.range.size()))});
  }
  return tensors;
}

std::vector<float> weights_from(const Network& network, const SafetensorsFile& file) {
  std::vector<float> weights(static_cast<std::size_t>(network.total_size()), 0.0F);
  if (file.tensors().size() != network.parameters().size()) {
    fail_usage("the file has {} tensors, the model {}", file.tensors().size(),
               network.parameters().size());
  }
  for (const Parameter& parameter : network.parameters()) {
    const TensorView& tensor = file.tensor(parameter.name);
    if (tensor.shape != parameter.shape) {
      fail_usage("tensor \"{}\" has the shape [{}], the model's has [{}]", parameter.name,
                 fmt::join(tensor.shape, ", "), fmt::join(parameter.shape, ", "));
    }
    std::copy(tensor.values.begin(), tensor.values.end(), weights.begin() + parameter.range.first);
  }
  return weights;
}

std::filesystem::path checkpoint_folder(const std::filesystem::path& run_dir, std::int64_t step) {
  return run_dir / "checkpoints" / fmt::format("step-{:08}", step);
}

std::filesystem::path best_link(const std::filesystem::path& run_dir) {
  return run_dir / "checkpoints" / "best";
}

}  // namespace lockstep
