#include "run/tensor_layout.h"

#include <algorithm>
#include <optional>
#include <variant>

namespace lockstep {

namespace {

using Shape = std::vector<std::int64_t>;

constexpr std::int64_t kColours = 3;

constexpr const char* kMixed =
    "sums and products of images flattened from several shapes pair other values in PyTorch; bring "
    "them to one shape before flatten";
constexpr const char* kCutGroups =
    "groups of a flattened image hold other values in PyTorch; normalize before flatten, or in one "
    "group";

// What parameters are for, and in which order.
class Places {
 public:
  explicit Places(const Graph& graph) : graph_(graph), orders_(find_feature_orders(graph)) {}

  std::unordered_map<std::string, ParameterPlace> find() {
    for (const Primitive& primitive : graph_.primitives) {
      std::visit([&](const auto& work) { add(work, primitive); }, primitive.work);
    }
    if (logits_) {
      place(logits_->weight).gives_logits = true;
      if (logits_->bias) place(*logits_->bias).gives_logits = true;
    }
    return std::move(places_);
  }

 private:
  const FeatureOrder& order(ValueId id) const { return orders_[static_cast<std::size_t>(id)]; }

  template <typename Id>
  ParameterPlace& place(Id id) {
    return places_[graph_.parameter(id).name];
  }

  template <typename Id>
  ParameterPlace& put(Id id, const FeatureOrder& order) {
    ParameterPlace& place = this->place(id);
    place.order = order;
    if (is_mixed(order)) place.refusal = kMixed;
    return place;
  }

  void add(const ConvOp& conv, const Primitive& primitive) {
    ParameterPlace& weight = place(conv.weight);
    weight.is_conv = true;
    weight.sees_images = primitive.in.front() == ValueId{} && conv.groups == 1;
    if (conv.bias) put(*conv.bias, order(primitive.out));
  }

  void add(const DenseOp& dense, const Primitive& primitive) {
    ParameterPlace& weight = put(dense.weight, order(primitive.out));
    weight.inputs = order(primitive.in.front());
    if (is_mixed(weight.inputs)) weight.refusal = kMixed;
    if (dense.bias) put(*dense.bias, order(primitive.out));
    logits_ = dense;
  }

  void add(const GroupNormOp& norm, const Primitive& primitive) {
    const FeatureOrder& features = order(primitive.out);
    const std::int64_t group = graph_.shape(primitive.out).channels / norm.groups;
    for (const ParameterId id : norm.parameters()) {
      ParameterPlace& place = put(id, features);
      if (!keeps_groups(features, group)) place.refusal = kCutGroups;
    }
  }

  void add(const LayerNormOp& norm, const Primitive& primitive) {
    for (const ParameterId id : norm.parameters()) put(id, order(primitive.out));
  }

  void add(const BatchNormOp& norm, const Primitive& primitive) {
    for (const ParameterId id : {norm.scale, norm.shift}) put(id, order(primitive.out));
    for (const StatisticId id : {norm.running_mean, norm.running_variance}) {
      put(id, order(primitive.out));
    }
  }

  // Others have no parameters.
  template <typename Work>
  void add(const Work& /*work*/, const Primitive& /*primitive*/) {}

  const Graph& graph_;
  std::vector<FeatureOrder> orders_;  // by value
  std::optional<DenseOp> logits_;     // the last dense layer
  std::unordered_map<std::string, ParameterPlace> places_;
};

// Rows of values [channels, pixels] to rows of [pixels, channels].
void to_channels_last(std::vector<float>& values, std::int64_t pixels, std::int64_t channels) {
  const std::vector<float> from = values;
  auto to = values.begin();
  for (auto row = from.begin(); row != from.end(); row += pixels * channels) {
    for (std::int64_t p = 0; p < pixels; ++p) {
      for (std::int64_t c = 0; c < channels; ++c) *to++ = row[c * pixels + p];
    }
  }
}

void reorder_conv(ArrangedTensor& tensor) {
  const Shape from = tensor.shape;
  tensor.shape = {from[0], from[2], from[3], from[1]};
  if (!tensor.values.empty()) to_channels_last(tensor.values, from[2] * from[3], from[1]);
}

// Along each axis of a vector, or of a dense layer's [outputs, inputs].
void reorder_features(ArrangedTensor& tensor, const ParameterPlace& place) {
  if (is_same_in_both(place.order) && is_same_in_both(place.inputs)) return;
  const std::vector<float> from = tensor.values;
  const std::vector<std::size_t> rows = places_there(place.order);
  const std::vector<std::size_t> columns =
      place.inputs.empty() ? std::vector<std::size_t>{0} : places_there(place.inputs);
  auto to = tensor.values.begin();
  for (const std::size_t row : rows) {
    for (const std::size_t column : columns) *to++ = from[row * columns.size() + column];
  }
  tensor.change = "from channel after channel to pixel after pixel";
}

// So that an image in which all colours are equal gives what the grey one does.
void match_colours(ArrangedTensor& tensor, std::int64_t channels) {
  std::int64_t& inputs = tensor.shape.back();
  std::vector<float> values;
  if (inputs == kColours && channels == 1) {
    for (std::size_t i = 0; i < tensor.values.size(); i += kColours) {
      values.push_back(tensor.values[i] + tensor.values[i + 1] + tensor.values[i + 2]);
    }
    tensor.change = "its 3 channels summed to 1";
  } else {
    for (const float value : tensor.values) {
      values.insert(values.end(), kColours, value / static_cast<float>(kColours));
    }
    tensor.change = "its channel divided among 3";
  }
  tensor.values = std::move(values);
  inputs = channels;
}

bool differ_in_colours(const Shape& a, const Shape& b) {
  return a.size() == 4 && b.size() == 4 && std::equal(a.begin(), a.end() - 1, b.begin()) &&
         std::min(a.back(), b.back()) == 1 && std::max(a.back(), b.back()) == kColours;
}

}  // namespace

std::unordered_map<std::string, ParameterPlace> find_places(const Graph& graph) {
  return Places(graph).find();
}

ArrangedTensor arrange(const TensorView& tensor, const ParameterPlace& place, Layouts layouts,
                       const Shape& wanted) {
  const bool is_theirs = layouts == Layouts::kPytorch;
  ArrangedTensor arranged{tensor.shape, {tensor.values.begin(), tensor.values.end()}, ""};
  if (place.is_conv) {
    if (is_theirs && tensor.shape.size() == 4) reorder_conv(arranged);
    if (place.sees_images && differ_in_colours(arranged.shape, wanted)) {
      match_colours(arranged, wanted.back());
    }
  } else if (is_theirs && tensor.shape == wanted) {
    reorder_features(arranged, place);
  }
  return arranged;
}

}  // namespace lockstep
