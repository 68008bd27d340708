#include "model/fuse.h"

#include <iterator>
#include <list>
#include <vector>

namespace lockstep {

namespace {

// Each primitive joins the op that gives its input where it can, or becomes an op of its own.
// One that is joined moves behind the others: all that the primitive needs stands before it.
class Fusing {
 public:
  explicit Fusing(const Graph& graph)
      : graph_(graph),
        same_as_(graph.values.size()),
        uses_(graph.values.size()),
        givers_(graph.values.size(), ops_.end()) {
    for (std::size_t i = 0; i < same_as_.size(); ++i) same_as_[i] = ValueId{i};
    for (const Primitive& primitive : graph.primitives) {
      for (const ValueId in : primitive.in) ++uses_[index(in)];
    }
  }

  Plan fuse() {
    for (const Primitive& primitive : graph_.primitives) {
      primitive_ = &primitive;
      std::visit([this](const auto& work) { add(work); }, primitive.work);
    }
    return {std::make_move_iterator(ops_.begin()), std::make_move_iterator(ops_.end())};
  }

 private:
  using Ops = std::list<Op>;

  static std::size_t index(ValueId id) { return static_cast<std::size_t>(id); }

  // What a plan has too stays as it is.
  template <typename Work>
  void add(const Work& work) {
    push(work);
  }

  void add(const ActivateOp& activate) {
    const bool has_limit = activate.kind == ActivationKind::kRelu6;
    if (activate.kind != ActivationKind::kRelu && !has_limit) return push(activate);
    if (auto* norm = last<NormOp>(); norm != nullptr && !norm->drop.drops()) {
      norm->relu_after = true;
      if (has_limit) norm->relu_limit = kRelu6Limit;
      return join();
    }
    if (has_limit) return push(activate);
    if (auto* sum = last<SumOp>(); sum != nullptr && !sum->relu) {
      sum->relu = true;
      return join();
    }
    push(GateOp{.relu = true});
  }

  void add(const BatchNormOp& norm) {
    const GateOp* gate = last<GateOp>();
    const bool relu_before = gate != nullptr && gate->relu && !gate->pools() && !gate->drop.drops();
    const NormOp work{.norm = norm, .relu_before = relu_before};
    if (!relu_before) return push(work);
    giver()->work = work;
    join();
  }

  void add(const MaxPoolOp& pool) {
    if (pool.size == 1 && pool.stride == 1) return pass_on();
    GateOp* gate = last<GateOp>();
    if (gate == nullptr || gate->pools() || gate->drop.drops()) return push(GateOp{.pool = pool});
    gate->pool = pool;
    join();
  }

  void add(const DropoutOp& dropout) {
    if (auto* norm = last<NormOp>(); norm != nullptr && !norm->adds && !norm->drop.drops()) {
      norm->drop = dropout;
      return join();
    }
    GateOp* gate = last<GateOp>();
    if (gate == nullptr || gate->drop.drops()) return push(GateOp{.drop = dropout});
    gate->drop = dropout;
    join();
  }

  // With the first of its inputs that a batch norm gives.
  void add(const AddOp& /*sum*/) {
    for (std::size_t k = 0; k < 2; ++k) {
      auto* norm = last<NormOp>(k);
      if (norm == nullptr || norm->relu_before || norm->adds || norm->relu_after ||
          norm->drop.drops()) {
        continue;
      }
      norm->adds = true;
      giver(k)->in.push_back(operand(primitive_->in[1 - k]));
      return join(k);
    }
    push(SumOp{});
  }

  // The memory of a value is that of a flat one.
  void add(const FlattenOp& /*flatten*/) { pass_on(); }
  void add(const UnflattenOp& /*unflatten*/) { pass_on(); }

  // The primitive's output is its input.
  void pass_on() {
    const ValueId in = primitive_->in.front();
    same_as_[index(primitive_->out)] = same_as_[index(in)];
    givers_[index(primitive_->out)] = givers_[index(in)];
    // Whoever joins the giver must be the only one that uses either.
    uses_[index(primitive_->out)] += uses_[index(in)] - 1;
  }

  template <typename Work>
  void push(const Work& work) {
    Op op{work, {}, {primitive_->out, graph_.shape(primitive_->out)}};
    for (const ValueId in : primitive_->in) op.in.push_back(operand(in));
    ops_.push_back(std::move(op));
    givers_[index(primitive_->out)] = std::prev(ops_.end());
  }

  Operand operand(ValueId value) const { return {same_as_[index(value)], graph_.shape(value)}; }

  Ops::iterator giver(std::size_t input = 0) const { return givers_[index(primitive_->in[input])]; }

  // The op that gives an input, as a T that this primitive can join, or null: not where others
  // use the input too, and not across a flatten that changes the shape.
  template <typename T>
  T* last(std::size_t input = 0) {
    const ValueId in = primitive_->in[input];
    if (giver(input) == ops_.end() || uses_[index(in)] > 1) return nullptr;
    if (giver(input)->out.shape != graph_.shape(in)) return nullptr;
    return std::get_if<T>(&giver(input)->work);
  }

  // Into the giver of an input, whose work has been changed.
  void join(std::size_t input = 0) {
    const auto op = giver(input);
    op->out = {primitive_->out, graph_.shape(primitive_->out)};
    ops_.splice(ops_.end(), ops_, op);
    givers_[index(primitive_->out)] = op;
  }

  const Graph& graph_;
  Ops ops_;
  const Primitive* primitive_ = nullptr;  // being added
  // By value of the graph:
  std::vector<ValueId> same_as_;       // the value whose memory it is
  std::vector<int> uses_;              // by primitives
  std::vector<Ops::iterator> givers_;  // end: the images
};

}  // namespace

Plan fuse(const Graph& graph) { return Fusing(graph).fuse(); }

}  // namespace lockstep
