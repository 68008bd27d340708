// Turns a list of layers into a Network: checks shapes, places parameters, groups
// layers into ops. Used by Network's constructor alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lockstep/model/network.h"
#include "lockstep/model/op.h"

namespace lockstep {

std::string_view name_of(ActivationKind kind);

class NetworkBuilder {
 public:
  explicit NetworkBuilder(Network& network) : network_(network), shape_(network.input_) {}

  void build(const ModelOptions& options);

 private:
  void add(const ConvOptions& conv);
  void add(const DenseOptions& dense);
  void add(const BatchNormOptions& norm);
  void add(const DropoutOptions& dropout);
  void add(const MaxPoolOptions& pool);
  void add(const FlattenOptions& flatten);
  void add(const ActivationOptions& activation);
  void add_activation(ActivationKind kind);

  // The last op as a T that the next layer can join, or null. A layer joins an op
  // whose output it takes as it is (not across a flatten).
  template <typename T>
  T* last();
  // A gate op that ends where the next layer begins and has no pooling and no
  // dropout yet; a new one when there is none.
  GateOp& open_gate();
  void push(Op op);

  Range place(const std::string& role, std::vector<std::int64_t> shape,
              Initializer initializer = Initializer::kGlorotUniform);
  Range place_statistic(const std::string& role, int channels);
  void finish_placement();
  void check_sizes() const;
  [[noreturn]] void fail_shape(const std::string& problem) const;

  Network& network_;
  ImageShape shape_;                   // of the output so far
  int index_ = 0;                      // of the layer being added
  std::string kind_;                   // its kind, as "conv"
  LayerInfo info_;                     // of the layer being added
  bool flat_ = false;                  // a flatten or dense layer has been seen
  std::vector<Parameter> statistics_;  // placed after the trainable parameters
};

}  // namespace lockstep
