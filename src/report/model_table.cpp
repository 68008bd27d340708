#include "lockstep/report/model_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {

std::string shape_text(const ImageShape& shape) {
  if (shape.height == 1 && shape.width == 1) return std::to_string(shape.channels);
  return fmt::format("{}x{}x{}", shape.height, shape.width, shape.channels);
}

std::string title_in_block(const LayerInfo& layer) {
  return layer.part.empty() ? layer.title : fmt::format("{}: {}", layer.part, layer.title);
}

std::string indented_title(const LayerInfo& layer) {
  return std::string(2 * static_cast<std::size_t>(layer.depth), ' ') + title_in_block(layer);
}

std::string model_table(const Network& network) {
  std::size_t width = 5;
  for (const LayerInfo& layer : network.layers())
    width = std::max(width, indented_title(layer).size());
  std::string text =
      fmt::format("{:<{}}  {:>12}  {:>10}\n", "layer", width, "output", "parameters");
  text += fmt::format("{:<{}}  {:>12}\n", "input", width, shape_text(network.input()));
  for (const LayerInfo& layer : network.layers()) {
    text += fmt::format("{:<{}}  {:>12}  {:>10}\n", indented_title(layer), width,
                        shape_text(layer.output), layer.parameters);
  }
  return text + fmt::format("{} parameters, {} of them trainable\n", network.parameter_count(),
                            network.trainable_parameter_count());
}

}  // namespace lockstep
