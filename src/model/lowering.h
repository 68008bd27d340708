// Adds one layer after the other to a graph; see lower.h. Layers in lower.cpp, blocks of layers
// in lower_blocks.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lockstep/model/graph.h"
#include "lockstep/model/options.h"

namespace lockstep {

// How a parameter begins; others than weights and biases need not say.
struct Begin {
  Initializer initializer = Initializer::kGlorotUniform;
  Fans fans = {};
};

class Lowering {
 public:
  explicit Lowering(const ImageShape& input) { graph_.values.push_back(input); }

  Graph lower(const ModelOptions& options, int classes);

 private:
  // A value, and whether a flatten or dense layer came before it.
  struct End {
    ValueId value{};
    bool flat = false;
  };

  // Where layers stand: within which block, in the experiment's words and in names of parameters.
  struct Scope {
    std::string written;  // "model.layer[3].residual."
    std::string path;     // "3.residual."
    std::string part;     // of the block; see LayerInfo
    int depth = 0;
  };

  // The layer being added.
  struct Layer {
    std::string written;    // "model.layer[3]"
    const char* kind = "";  // of options
    std::string path;       // "3.conv"
    std::size_t index = 0;  // among its neighbours
    std::size_t info = 0;   // in graph_.layers
    int depth = 0;
  };

  void add_layers(const std::vector<LayerOptions>& layers, const Scope& scope);
  template <typename Options>
  void add_layer(const Options& options, const Scope& scope, std::size_t index);

  void add(const ConvOptions& conv);
  void add(const DenseOptions& dense);
  void add(const BatchNormOptions& norm);
  void add(const GroupNormOptions& norm);
  void add(const LayerNormOptions& norm);
  void add(const DropoutOptions& dropout);
  void add(const MaxPoolOptions& pool);
  void add(const AvgPoolOptions& pool);
  void add(const FlattenOptions& flatten);
  void add(const ActivationOptions& activation);
  void add(const ResidualOptions& residual);
  void add(const BranchesOptions& branches);
  void add(const GateOptions& gate);
  void add(const RepeatOptions& repeat);
  void add(const LogitsOptions& logits);
  [[noreturn]] void fail_logits_before_others() const;

  void check_conv(const ConvOptions& conv, const ImageShape& in) const;
  template <typename Options>
  PoolOp pool_op(const Options& pool, PoolOp::Kind kind, const char* text);
  ImageShape pooled(const PoolOp& op) const;

  // --- What layers are made of ---

  const ImageShape& shape() const { return graph_.shape(end_.value); }
  LayerInfo& info() { return graph_.layers[layer_.info]; }
  [[noreturn]] void fail_shape(const std::string& problem) const;

  // What stands within the layer being added, or in a part of it: two names that each end with a
  // dot, and one for readers.
  Scope inside(const std::string& written_part = "", const std::string& path_part = "",
               const std::string& part = "") const;
  // The end of these layers after `from`.
  End lowered(const std::vector<LayerOptions>& layers, const End& from, const Scope& scope);

  using Work = decltype(Primitive::work);
  // A primitive after the last value, or after `in`.
  void push(const Work& work, const ImageShape& out) { push(work, {end_.value}, out); }
  void push(const Work& work, std::vector<ValueId> in, const ImageShape& out);
  void flatten();
  void activate(ActivationKind kind);
  // Makes all flat where one is.
  void align(std::vector<End>& ends);
  // Keys the masks of the layer being added.
  std::uint32_t dropout_key();

  ParameterId place(Role role, std::vector<std::int64_t> shape, const Begin& begin = {});
  // Placed behind the trainable parameters, once those are known.
  StatisticId add_statistic(Role role, std::int64_t channels, float momentum);
  Parameter parameter(Role role, std::vector<std::int64_t> shape) const;
  void append(Parameter placed);
  void place_statistics();

  void check_size() const;
  void check_logits(int classes) const;

  Graph graph_;
  End end_;
  Layer layer_;
  Layer last_;  // that gave a primitive
  std::uint32_t nested_dropouts_ = 0;
  std::vector<Parameter> statistics_;  // not yet in the graph
  int classes_ = 0;
  std::string logits_;  // where such a layer is written; empty: there is none
  ValueId logits_value_{};
};

// "8x8x32".
std::string text_of(const ImageShape& shape);
std::string_view name_of(ActivationKind kind);
// "conv 8 3x3 relu".
std::string with_activation(std::string text, ActivationKind kind);
// Of 256ths that `rate` is rounded to; below 256.
int rounded_rate(float rate);

}  // namespace lockstep
