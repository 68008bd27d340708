#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "lockstep/core/text.h"
#include "lockstep/run/initial_weights.h"

namespace lockstep {

namespace {

using Cells = std::array<std::string, 4>;

Cells cells_of(const InitialRow& row, bool frozen) {
  return {row.parameter.empty() ? "-" : row.parameter, fmt::format("{}", fmt::join(row.shape, "x")),
          row.tensor.empty() ? "-" : printable(row.tensor),
          row.outcome + (frozen ? "; frozen" : "")};
}

}  // namespace

std::string initial_table(const Network& network, const InitialWeights& initial,
                          const std::string& path) {
  std::vector<Cells> lines = {{"parameter", "shape", "tensor", "what became of it"}};
  const auto& parameters = network.parameters();
  std::size_t taken = 0;
  for (std::size_t i = 0; i < initial.rows.size(); ++i) {
    lines.push_back(cells_of(initial.rows[i], i < parameters.size() && parameters[i].frozen));
    taken += initial.rows[i].taken ? 1 : 0;
  }
  std::array<std::size_t, 3> widths{};
  for (const Cells& line : lines) {
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string text = fmt::format("weights to begin with, of {} ({} layouts)\n", printable(path),
                                 initial.layouts == Layouts::kOurs ? "our own" : "PyTorch's");
  for (const Cells& line : lines) {
    text += fmt::format("{:<{}}  {:<{}}  {:<{}}  {}\n", line[0], widths[0], line[1], widths[1],
                        line[2], widths[2], line[3]);
  }
  const auto frozen = std::count_if(parameters.begin(), parameters.end(),
                                    [](const Parameter& each) { return each.frozen; });
  return text + fmt::format("{} of {} taken, {} frozen; {} unused; they begin as xxh3:{}\n", taken,
                            count_of(parameters.size(), "parameter"), frozen,
                            count_of(initial.rows.size() - parameters.size(), "tensor"),
                            initial.digest.hex());
}

}  // namespace lockstep
