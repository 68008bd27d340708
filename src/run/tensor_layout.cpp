#include "run/tensor_layout.h"

#include <algorithm>
#include <optional>
#include <variant>

namespace lockstep {

namespace {

using Shape = std::vector<std::int64_t>;

constexpr std::int64_t kColours = 3;

bool has_order(const ImageShape& image) {
  return image.height * image.width > 1 && image.channels > 1;
}

// Where values of the graph are flattened images, and who takes them.
class Places {
 public:
  explicit Places(const Graph& graph) : graph_(graph), flattened_(graph.values.size()) {}

  std::unordered_map<std::string, ParameterPlace> find() {
    for (const Primitive& primitive : graph_.primitives) {
      const ValueId in = primitive.in.front();
      ImageShape& out = flattened_[static_cast<std::size_t>(primitive.out)];
      std::visit([&](const auto& work) { add(work, in, out); }, primitive.work);
    }
    if (logits_) {
      places_[graph_.parameter(logits_->weight).name].gives_logits = true;
      if (logits_->bias) places_[graph_.parameter(*logits_->bias).name].gives_logits = true;
    }
    return std::move(places_);
  }

 private:
  const ImageShape& flattened(ValueId id) const { return flattened_[static_cast<std::size_t>(id)]; }

  template <typename Id>
  void put(Id id, const ParameterPlace& place) {
    places_[graph_.parameter(id).name] = place;
  }

  void add(const ConvOp& conv, ValueId in, ImageShape& /*out*/) {
    put(conv.weight, {.kind = ParameterPlace::Kind::kConv, .sees_images = in == ValueId{}});
    if (conv.bias) put(*conv.bias, {});
  }

  void add(const DenseOp& dense, ValueId in, ImageShape& /*out*/) {
    put(dense.weight, {.kind = ParameterPlace::Kind::kDense, .flattened = flattened(in)});
    if (dense.bias) put(*dense.bias, {});
    logits_ = dense;
  }

  void add(const FlattenOp& /*flatten*/, ValueId in, ImageShape& out) {
    out = has_order(graph_.shape(in)) ? graph_.shape(in) : flattened(in);
  }

  // Norms have a parameter a channel; all others keep their values' places.
  template <typename Work>
  void add(const Work& work, ValueId in, ImageShape& out) {
    out = flattened(in);
    const ParameterPlace place{.flattened = out};
    if constexpr (requires { work.scale; }) {
      put(work.scale, place);
      put(work.shift, place);
    }
    if constexpr (requires { work.running_mean; }) {
      put(work.running_mean, place);
      put(work.running_variance, place);
    }
  }

  const Graph& graph_;
  std::vector<ImageShape> flattened_;  // by value; of one channel: its order is no question
  std::optional<DenseOp> logits_;      // the last dense layer
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
  ArrangedTensor arranged{tensor.shape, {tensor.values.begin(), tensor.values.end()}, ""};
  if (place.kind == ParameterPlace::Kind::kConv) {
    if (layouts == Layouts::kPytorch && tensor.shape.size() == 4) reorder_conv(arranged);
    if (place.sees_images && differ_in_colours(arranged.shape, wanted)) {
      match_colours(arranged, wanted.back());
    }
  } else if (layouts == Layouts::kPytorch && has_order(place.flattened) && !tensor.shape.empty() &&
             tensor.shape.back() == place.flattened.pixels()) {
    const ImageShape& image = place.flattened;
    to_channels_last(arranged.values, std::int64_t{image.height} * image.width, image.channels);
    arranged.change = "from channel after channel to pixel after pixel";
  }
  return arranged;
}

}  // namespace lockstep
