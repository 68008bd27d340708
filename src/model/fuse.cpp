#include "model/fuse.h"

namespace lockstep {

namespace {

// Each primitive joins the op before it where it can, or becomes an op of its own.
class Fusing {
 public:
  explicit Fusing(const Graph& graph) : graph_(graph) {}

  Plan fuse() {
    for (const Primitive& primitive : graph_.primitives) {
      in_ = graph_.shape(primitive.in);
      out_ = graph_.shape(primitive.out);
      std::visit([this](const auto& work) { add(work); }, primitive.work);
    }
    return std::move(plan_);
  }

 private:
  // What a plan has too stays as it is.
  template <typename Work>
  void add(const Work& work) {
    plan_.push_back({work, in_, out_});
  }

  void add(const ActivateOp& activate) {
    if (activate.kind != ActivationKind::kRelu) {
      plan_.push_back({activate, in_, out_});
      return;
    }
    auto* norm = last<NormOp>();
    if (norm != nullptr && !norm->drop.drops()) {
      norm->relu_after = true;
    } else {
      plan_.push_back({GateOp{.relu = true}, in_, out_});
    }
  }

  void add(const BatchNormOp& norm) {
    const GateOp* gate = last<GateOp>();
    const bool relu_before = gate != nullptr && gate->relu && !gate->pools() && !gate->drop.drops();
    if (relu_before) plan_.pop_back();
    plan_.push_back({NormOp{.norm = norm, .relu_before = relu_before}, in_, out_});
  }

  void add(const MaxPoolOp& pool) {
    if (pool.size == 1 && pool.stride == 1) return;
    GateOp* gate = last<GateOp>();
    if (gate == nullptr || gate->pools() || gate->drop.drops()) gate = &open_gate();
    gate->pool = pool;
    plan_.back().out = out_;
  }

  void add(const DropoutOp& dropout) {
    auto* norm = last<NormOp>();
    if (norm != nullptr && !norm->drop.drops()) {
      norm->drop = dropout;
      return;
    }
    GateOp* gate = last<GateOp>();
    if (gate == nullptr || gate->drop.drops()) gate = &open_gate();
    gate->drop = dropout;
  }

  // The memory of a value is that of a flat one.
  void add(const FlattenOp& /*flatten*/) {}

  // The last op as a T that the next primitive can join, or null: not across a flatten that
  // changes the shape.
  template <typename T>
  T* last() {
    if (plan_.empty() || plan_.back().out != in_) return nullptr;
    return std::get_if<T>(&plan_.back().work);
  }

  GateOp& open_gate() {
    plan_.push_back({GateOp{}, in_, in_});
    return std::get<GateOp>(plan_.back().work);
  }

  const Graph& graph_;
  Plan plan_;
  ImageShape in_;  // of the primitive being added
  ImageShape out_;
};

}  // namespace

Plan fuse(const Graph& graph) { return Fusing(graph).fuse(); }

}  // namespace lockstep
