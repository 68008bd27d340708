// Group norm and layer norm: by our own kernels on the CPU, by LibTorch elsewhere. Of N values
// x with mean m and variance v, i = 1 / sqrt(v + epsilon), scale g and shift b by channel, d
// the gradient at the output, S sums over the N values:
//   u = (x - m) i,  y = g u + b,  dx = i (g d - S(g d) / N - u S(g d u) / N)
// The gradients of g and b are the sums of d u and of d over samples and pixels. Statistics and
// sums are fp32 or double in every precision.

#include <ATen/ops/native_group_norm.h>
#include <ATen/ops/native_group_norm_backward.h>
#include <ATen/ops/native_layer_norm.h>
#include <ATen/ops/native_layer_norm_backward.h>

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "lockstep/core/formulas.h"
#include "model/kernels.h"
#include "model/own_runners.h"
#include "model/torch_runner.h"

namespace lockstep {

namespace {

at::ScalarType type_of_statistics(at::ScalarType type) {
  return type == at::kDouble ? at::kDouble : at::kFloat;
}

// Of a frozen parameter nobody wants it.
void give_gradient(const Pass& pass, ParameterId id, const at::Tensor& gradient) {
  if (pass.changes(id)) view_floats(pass, pass.gradient(id), gradient.sizes()).copy_(gradient);
}

template <typename T>
void give_gradient(const Pass& pass, ParameterId id, const std::vector<T>& gradient) {
  if (pass.changes(id)) std::copy(gradient.begin(), gradient.end(), pass.gradient(id));
}

}  // namespace

template <>
class TorchRunner<GroupNormOp> final : public UnaryRunner {
 public:
  TorchRunner(const GroupNormOp& norm, const OpContext& context)
      : norm_(norm), op_(context), compute_(type_of_statistics(context.type)) {}

  at::Tensor forward(const Pass& pass, at::Tensor x) override {
    at::Tensor y;
    std::tie(y, mean_, inverse_) =
        at::native_group_norm(planes(x), weights(pass, norm_.scale), weights(pass, norm_.shift),
                              pass.samples, channels(), pixels(), norm_.groups, norm_.epsilon);
    if (pass.keeps()) x_ = std::move(x);
    return channels_last(y).to(op_.type).contiguous();
  }

  at::Tensor backward(const Pass& pass, at::Tensor dy) override {
    const bool needs_input = op_.input == InputGradient::kNeeded;
    auto [dx, d_scale, d_shift] = at::native_group_norm_backward(
        planes(dy), planes(x_), mean_, inverse_, weights(pass, norm_.scale), pass.samples,
        channels(), pixels(), norm_.groups, {needs_input, true, true});
    x_.reset();
    give_gradient(pass, norm_.scale, d_scale);
    give_gradient(pass, norm_.shift, d_shift);
    if (!needs_input) return {};
    return channels_last(dx).to(op_.type).contiguous();
  }

 private:
  std::int64_t channels() const { return op_.in.channels; }
  std::int64_t pixels() const { return std::int64_t{op_.in.height} * op_.in.width; }
  // A plane for each channel: the one layout that LibTorch takes on every device.
  at::Tensor planes(const at::Tensor& x) const {
    return channels_first(x).to(compute_).contiguous();
  }
  at::Tensor weights(const Pass& pass, ParameterId id) const {
    return view_weights(pass, id, {channels()}, compute_);
  }

  GroupNormOp norm_;
  OpContext op_;
  at::ScalarType compute_;
  at::Tensor x_;  // of the pass under way
  at::Tensor mean_, inverse_;
};

template std::unique_ptr<OpRunner> make_torch_runner(const GroupNormOp&, const OpContext&);

template <>
class TorchRunner<LayerNormOp> final : public UnaryRunner {
 public:
  TorchRunner(const LayerNormOp& norm, const OpContext& context)
      : norm_(norm), op_(context), compute_(type_of_statistics(context.type)) {}

  at::Tensor forward(const Pass& pass, at::Tensor x) override {
    at::Tensor y;
    std::tie(y, mean_, inverse_) =
        at::native_layer_norm(x.to(compute_), {channels()}, weights(pass, norm_.scale),
                              weights(pass, norm_.shift), norm_.epsilon);
    if (pass.keeps()) x_ = std::move(x);
    return y.to(op_.type);
  }

  at::Tensor backward(const Pass& pass, at::Tensor dy) override {
    const bool needs_input = op_.input == InputGradient::kNeeded;
    auto [dx, d_scale, d_shift] = at::native_layer_norm_backward(
        dy.to(compute_), x_.to(compute_), {channels()}, mean_, inverse_, weights(pass, norm_.scale),
        weights(pass, norm_.shift), {needs_input, true, true});
    x_.reset();
    give_gradient(pass, norm_.scale, d_scale);
    give_gradient(pass, norm_.shift, d_shift);
    if (!needs_input) return {};
    return dx.to(op_.type);
  }

 private:
  std::int64_t channels() const { return op_.in.channels; }
  at::Tensor weights(const Pass& pass, ParameterId id) const {
    return view_weights(pass, id, {channels()}, compute_);
  }

  LayerNormOp norm_;
  OpContext op_;
  at::ScalarType compute_;
  at::Tensor x_;  // of the pass under way
  at::Tensor mean_, inverse_;
};

template std::unique_ptr<OpRunner> make_torch_runner(const LayerNormOp&, const OpContext&);

namespace {

// A sample is to the kernels what a batch is to a batch norm; what its channels give is then put
// together by group.
template <typename T>
class OwnGroupNorm final : public UnaryRunner {
 public:
  OwnGroupNorm(const GroupNormOp& norm, const OpContext& context) : norm_(norm), op_(context) {
    const auto channels = static_cast<std::size_t>(context.in.channels);
    for (auto* values : {&mean_, &variance_, &factor_, &offset_, &sum_d_, &sum_dx_, &kx_, &k1_}) {
      values->resize(channels);
    }
  }

  at::Tensor forward(const Pass& pass, at::Tensor x) override {
    at::Tensor y = make_activations(pass.samples, op_.out, op_.type);
    const auto& kernel = kernels().of<T>();
    groups_.resize(static_cast<std::size_t>(std::int64_t{pass.samples} * norm_.groups));
    for (std::int64_t n = 0; n < pass.samples; ++n) {
      const T* from = values<T>(x) + n * op_.in.pixels();
      kernel.moments(from, form_.rows, form_.channels, false, mean_.data(), variance_.data());
      join_moments(n);
      set_factors(pass, n);
      kernel.norm_forward(form_, from, factor_.data(), offset_.data(),
                          values<T>(y) + n * op_.in.pixels());
    }
    if (pass.keeps()) x_ = std::move(x);
    return y;
  }

  at::Tensor backward(const Pass& pass, at::Tensor dy) override {
    at::Tensor dx;
    if (op_.input == InputGradient::kNeeded) {
      dx = make_activations(pass.samples, op_.in, op_.type);
    }
    const auto& kernel = kernels().of<T>();
    d_scale_.assign(factor_.size(), 0);
    d_shift_.assign(factor_.size(), 0);
    for (std::int64_t n = 0; n < pass.samples; ++n) {
      const std::int64_t first = n * op_.in.pixels();
      const T* from = values<T>(x_) + first;
      set_factors(pass, n);
      kernel.norm_sums(form_, from, factor_.data(), offset_.data(), values<T>(dy) + first,
                       sum_d_.data(), sum_dx_.data());
      join_sums(pass, n);
      if (!dx.defined()) continue;
      kernel.norm_backward(form_, from, factor_.data(), offset_.data(), values<T>(dy) + first,
                           factor_.data(), kx_.data(), k1_.data(), values<T>(dx) + first);
    }
    x_.reset();
    give_gradient(pass, norm_.scale, d_scale_);
    give_gradient(pass, norm_.shift, d_shift_);
    return dx;
  }

 private:
  struct Group {
    double mean, inverse;
  };

  std::size_t of_group() const { return factor_.size() / static_cast<std::size_t>(norm_.groups); }
  Group& group(std::int64_t sample, std::size_t channel) {
    return groups_[static_cast<std::size_t>(sample * norm_.groups) + channel / of_group()];
  }

  // From the moments of the channels to those of their groups.
  void join_moments(std::int64_t sample) {
    const auto size = static_cast<double>(of_group());
    for (std::size_t first = 0; first < mean_.size(); first += of_group()) {
      double mean = 0;
      for (std::size_t c = first; c < first + of_group(); ++c) mean += mean_[c] / size;
      double variance = 0;
      for (std::size_t c = first; c < first + of_group(); ++c) {
        const double distance = mean_[c] - mean;
        variance += (variance_[c] + distance * distance) / size;
      }
      group(sample, first) = {
          mean, formula::inverse_deviation(static_cast<float>(variance), norm_.epsilon)};
    }
  }

  void set_factors(const Pass& pass, std::int64_t sample) {
    const float* scale = pass.values(norm_.scale);
    const float* shift = pass.values(norm_.shift);
    for (std::size_t c = 0; c < factor_.size(); ++c) {
      const Group& of = group(sample, c);
      const double factor = scale[c] * of.inverse;
      factor_[c] = static_cast<float>(factor);
      offset_[c] = static_cast<float>(shift[c] - of.mean * factor);
    }
  }

  // From the sums of d and of d x over a sample's pixels to dx = factor d + kx x + k1.
  void join_sums(const Pass& pass, std::int64_t sample) {
    const float* scale = pass.values(norm_.scale);
    const double count = static_cast<double>(form_.rows) * static_cast<double>(of_group());
    for (std::size_t first = 0; first < factor_.size(); first += of_group()) {
      const auto [mean, inverse] = group(sample, first);
      double sum = 0;
      double sum_normal = 0;
      for (std::size_t c = first; c < first + of_group(); ++c) {
        const double d_normal = inverse * (sum_dx_[c] - mean * sum_d_[c]);
        d_scale_[c] += d_normal;
        d_shift_[c] += sum_d_[c];
        sum += static_cast<double>(scale[c]) * sum_d_[c];
        sum_normal += scale[c] * d_normal;
      }
      const double kx = -inverse * inverse * sum_normal / count;
      const double k1 = -inverse * sum / count - kx * mean;
      std::fill_n(kx_.begin() + static_cast<std::ptrdiff_t>(first), of_group(),
                  static_cast<float>(kx));
      std::fill_n(k1_.begin() + static_cast<std::ptrdiff_t>(first), of_group(),
                  static_cast<float>(k1));
    }
  }

  GroupNormOp norm_;
  OpContext op_;
  NormForm form_{.rows = std::int64_t{op_.in.height} * op_.in.width,
                 .channels = op_.in.channels,
                 .relu_before = false,
                 .relu_after = false,
                 .relu_limit = std::numeric_limits<float>::infinity(),
                 .bits = nullptr,
                 .drop_below = 0,
                 .keep_scale = 1};
  // Of the pass under way:
  at::Tensor x_;
  std::vector<Group> groups_;              // [samples, groups]
  std::vector<double> d_scale_, d_shift_;  // [channels]
  std::vector<float> mean_, variance_;     // [channels], of a sample, as all below
  std::vector<float> factor_, offset_;
  std::vector<float> sum_d_, sum_dx_, kx_, k1_;
};

template <typename T>
class OwnLayerNorm final : public UnaryRunner {
 public:
  OwnLayerNorm(const LayerNormOp& norm, const OpContext& context)
      : norm_(norm),
        op_(context),
        d_scale_(static_cast<std::size_t>(context.in.channels)),
        d_shift_(d_scale_.size()) {}

  at::Tensor forward(const Pass& pass, at::Tensor x) override {
    at::Tensor y = make_activations(pass.samples, op_.out, op_.type);
    mean_.resize(static_cast<std::size_t>(rows(pass)));
    inverse_.resize(mean_.size());
    kernels().of<T>().layer_norm_forward(values<T>(x), rows(pass), op_.in.channels, norm_.epsilon,
                                         pass.values(norm_.scale), pass.values(norm_.shift),
                                         values<T>(y), mean_.data(), inverse_.data());
    if (pass.keeps()) x_ = std::move(x);
    return y;
  }

  at::Tensor backward(const Pass& pass, at::Tensor dy) override {
    at::Tensor dx = make_activations(pass.samples, op_.in, op_.type);
    kernels().of<T>().layer_norm_backward(values<T>(x_), values<T>(dy), rows(pass), op_.in.channels,
                                          pass.values(norm_.scale), mean_.data(), inverse_.data(),
                                          values<T>(dx), d_scale_.data(), d_shift_.data());
    x_.reset();
    give_gradient(pass, norm_.scale, d_scale_);
    give_gradient(pass, norm_.shift, d_shift_);
    return dx;
  }

 private:
  std::int64_t rows(const Pass& pass) const {
    return std::int64_t{pass.samples} * op_.in.height * op_.in.width;
  }

  LayerNormOp norm_;
  OpContext op_;
  // Of the pass under way:
  std::vector<float> d_scale_, d_shift_;  // [channels]
  at::Tensor x_;
  std::vector<float> mean_, inverse_;  // [samples, height, width]
};

}  // namespace

std::unique_ptr<OpRunner> make_own_group_norm(const GroupNormOp& norm, const OpContext& context) {
  if (context.type == at::kFloat) return std::make_unique<OwnGroupNorm<float>>(norm, context);
  return std::make_unique<OwnGroupNorm<Bf16>>(norm, context);
}

std::unique_ptr<OpRunner> make_own_layer_norm(const LayerNormOp& norm, const OpContext& context) {
  if (context.type == at::kFloat) return std::make_unique<OwnLayerNorm<float>>(norm, context);
  return std::make_unique<OwnLayerNorm<Bf16>>(norm, context);
}

}  // namespace lockstep
