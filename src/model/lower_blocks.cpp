// Layers of layers.

#include <fmt/format.h>

#include <utility>

#include "model/lowering.h"

namespace lockstep {

Lowering::Scope Lowering::inside(const std::string& written_part, const std::string& path_part,
                                 const std::string& part) const {
  return {fmt::format("{}.{}.{}", layer_.written, layer_.kind, written_part),
          fmt::format("{}.{}", layer_.path, path_part), part, layer_.depth + 1};
}

Lowering::End Lowering::lowered(const std::vector<LayerOptions>& layers, const End& from,
                                const Scope& scope) {
  end_ = from;
  add_layers(layers, scope);
  return end_;
}

void Lowering::align(std::vector<End>& ends) {
  bool flat = false;
  for (const End& end : ends) flat = flat || end.flat;
  if (!flat) return;
  for (End& end : ends) {
    const ImageShape& shape = graph_.shape(end.value);
    if (shape.height != 1 || shape.width != 1) continue;  // another shape than the flat one's
    end_ = end;
    flatten();
    end = end_;
  }
}

void Lowering::add(const ResidualOptions& residual) {
  if (residual.layers.empty()) fail_shape("has no layer; expected one or more");
  info().title = with_activation("residual", residual.activation);
  const End begin = end_;
  end_ = lowered(residual.layers, begin, inside());
  if (const int of_256 = rounded_rate(residual.drop_path); of_256 > 0) {
    push(DropPathOp{{of_256, dropout_key()}}, shape());
  }
  std::vector<End> ends{end_};
  ends.push_back(
      lowered(residual.shortcut.layers, begin, inside("shortcut.", "shortcut.", "shortcut")));
  align(ends);
  const ImageShape out = graph_.shape(ends[0].value);
  if (out != graph_.shape(ends[1].value)) {
    fail_shape(fmt::format("its layers give {}, its shortcut {}; expected the same", text_of(out),
                           text_of(graph_.shape(ends[1].value))));
  }
  end_.flat = ends[0].flat;
  push(AddOp{}, {ends[0].value, ends[1].value}, out);
  activate(residual.activation);
}

void Lowering::add(const BranchesOptions& branches) {
  if (branches.branches.empty()) fail_shape("has no branch; expected one or more");
  info().title = "branches";
  const End begin = end_;
  std::vector<End> ends;
  for (std::size_t i = 0; i < branches.branches.size(); ++i) {
    ends.push_back(lowered(
        branches.branches[i].layers, begin,
        inside(fmt::format("branch[{}].", i), fmt::format("{}.", i), fmt::format("branch {}", i))));
  }
  align(ends);
  ImageShape out = graph_.shape(ends[0].value);
  out.channels = 0;
  std::vector<ValueId> in;
  for (const End& end : ends) {
    const ImageShape& shape = graph_.shape(end.value);
    if (shape.height != out.height || shape.width != out.width) {
      fail_shape(fmt::format("its branches give {} and {}; expected the same height and width",
                             text_of(graph_.shape(ends[0].value)), text_of(shape)));
    }
    out.channels += shape.channels;
    in.push_back(end.value);
  }
  end_.flat = ends[0].flat;
  push(JoinOp{}, std::move(in), out);
}

void Lowering::add(const GateOptions& gate) {
  if (gate.layers.empty()) fail_shape("has no layer; expected one or more");
  info().title = "gate";
  const End begin = end_;
  const ImageShape out = shape();
  end_ = lowered(gate.layers, begin, inside());
  if (const ImageShape by_channel{1, 1, out.channels}; shape() != out && shape() != by_channel) {
    fail_shape(fmt::format("its layers give {}; expected {}{} for its input", text_of(shape()),
                           by_channel == out ? "" : text_of(by_channel) + ", or ", text_of(out)));
  }
  if (begin.flat && !end_.flat) flatten();
  if (!begin.flat && end_.flat) push(UnflattenOp{}, shape());
  end_.flat = begin.flat;
  push(MultiplyOp{}, {begin.value, end_.value}, out);
}

void Lowering::add(const RepeatOptions& repeat) {
  if (repeat.layers.empty()) fail_shape("has no layer; expected one or more");
  info().title = fmt::format("repeat {} times", repeat.times);
  for (int round = 0; round < repeat.times; ++round) {
    add_layers(repeat.layers, inside("", fmt::format("{}.", round)));
  }
}

}  // namespace lockstep
