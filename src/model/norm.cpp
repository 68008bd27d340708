// Batch normalization over a lane's own samples ("ghost batch norm"), fused with
// the relu before it, and after it with relu and dropout, or with the sum with another input
// (the end of a residual block) and the relu of that.
//
// Ioffe and Szegedy, "Batch Normalization" (2015), algorithm 1 and section 3; the
// backward pass is its chain rule with u = relu_before(x), m and v its mean and
// variance over N values, i = 1 / sqrt(v + epsilon), g the scale, d the gradient at
// the norm's output, S sums over the N values:
//   du = g i (d - S(d) / N - (u - m) i^2 (S(d u) - m S(d)) / N)
// One that is frozen has its running m and v in training too, which do not depend on u:
//   du = g i d

#include <vector>

#include "lockstep/core/formulas.h"
#include "model/dropout_bytes.h"
#include "model/kernels.h"
#include "model/own_runners.h"

namespace lockstep {

namespace {

template <typename T>
class Norm final : public OpRunner {
 public:
  Norm(const NormOp& norm, const OpContext& context)
      : norm_(norm.norm), fused_(norm), op_(context) {
    const auto channels = static_cast<std::size_t>(context.in.channels);
    for (auto* values :
         {&mean_, &variance_, &factor_, &offset_, &sum_d_, &sum_dx_, &kd_, &kx_, &k1_}) {
      values->resize(channels);
    }
  }

  at::Tensor forward_all(const Pass& pass, Tensors inputs) override {
    at::Tensor x = std::move(inputs.front());
    form_ = make_form(pass);
    const bool of_batch = pass.mode == Mode::kTrain && pass.changes(norm_.running_mean);
    if (of_batch) {
      kernels().of<T>().moments(values<T>(x), form_.rows, form_.channels, form_.relu_before,
                                mean_.data(), variance_.data());
      write_statistics(pass);
    }
    const float* mean = of_batch ? mean_.data() : pass.values(norm_.running_mean);
    const float* variance = of_batch ? variance_.data() : pass.values(norm_.running_variance);
    for (std::size_t c = 0; c < mean_.size(); ++c) {
      const float inverse = formula::inverse_deviation(variance[c], norm_.epsilon);
      factor_[c] = pass.values(norm_.scale)[c] * inverse;
      offset_[c] = pass.values(norm_.shift)[c] - mean[c] * factor_[c];
    }
    at::Tensor y = make_activations(pass.samples, op_.out, op_.type);
    if (fused_.adds) {
      kernels().of<T>().norm_add_forward(form_, values<T>(x), factor_.data(), offset_.data(),
                                         values<T>(inputs[1]), values<T>(y));
    } else {
      kernels().of<T>().norm_forward(form_, values<T>(x), factor_.data(), offset_.data(),
                                     values<T>(y));
    }
    if (pass.keeps()) x_ = std::move(x);
    if (pass.keeps() && is_relu_of_sum()) y_ = y;
    return y;
  }

  Tensors backward_all(const Pass& pass, at::Tensor dy) override {
    const auto& kernel = kernels().of<T>();
    if (is_relu_of_sum()) {
      at::Tensor d = make_activations(pass.samples, op_.out, op_.type);
      kernel.norm_add_sums(form_, values<T>(x_), values<T>(y_), values<T>(dy), values<T>(d),
                           sum_d_.data(), sum_dx_.data());
      y_.reset();
      dy = std::move(d);
      form_.relu_after = false;
    } else if (pass.changes(norm_.running_mean)) {
      kernel.norm_sums(form_, values<T>(x_), factor_.data(), offset_.data(), values<T>(dy),
                       sum_d_.data(), sum_dx_.data());
    }
    if (pass.changes(norm_.running_mean)) {
      find_gradients(pass);
    } else {
      kd_ = factor_;
    }
    const at::Tensor x = std::move(x_);
    if (op_.input == InputGradient::kUnused) return Tensors(fused_.adds ? 2 : 1);
    at::Tensor dx = make_activations(pass.samples, op_.in, op_.type);
    kernel.norm_backward(form_, values<T>(x), factor_.data(), offset_.data(), values<T>(dy),
                         kd_.data(), kx_.data(), k1_.data(), values<T>(dx));
    if (fused_.adds) return {dx, dy};
    return {dx};
  }

 private:
  bool is_relu_of_sum() const { return fused_.adds && fused_.relu_after; }

  // Those of scale and shift, and what that of the input is made of.
  void find_gradients(const Pass& pass) {
    const auto count = static_cast<float>(form_.rows);
    for (std::size_t c = 0; c < mean_.size(); ++c) {
      const float inverse = formula::inverse_deviation(variance_[c], norm_.epsilon);
      const NormGradients found =
          formula::norm_gradients(factor_[c], inverse, mean_[c], sum_d_[c], sum_dx_[c], count);
      if (pass.changes(norm_.scale)) pass.gradient(norm_.scale)[c] = found.scale;
      if (pass.changes(norm_.shift)) pass.gradient(norm_.shift)[c] = sum_d_[c];
      kd_[c] = found.kd;
      kx_[c] = found.kx;
      k1_[c] = found.k1;
    }
  }

  NormForm make_form(const Pass& pass) {
    NormForm form{.rows = pass.samples * std::int64_t{op_.in.height} * op_.in.width,
                  .channels = op_.in.channels,
                  .relu_before = fused_.relu_before,
                  .relu_after = fused_.relu_after,
                  .relu_limit = fused_.relu_limit,
                  .bits = nullptr,
                  .drop_below = static_cast<std::uint8_t>(fused_.drop.of_256),
                  .keep_scale = fused_.drop.keep_scale()};
    if (fused_.drop.drops() && pass.mode == Mode::kTrain) {
      form.bits = bytes_.draw(*pass.context, fused_.drop.layer, *pass.batch, op_.in.pixels());
    }
    return form;
  }

  // The running variance is the unbiased estimate, as in the paper's section 3.1.
  void write_statistics(const Pass& pass) {
    const auto samples = static_cast<float>(pass.samples);
    const auto rows = static_cast<float>(form_.rows);
    for (std::size_t c = 0; c < mean_.size(); ++c) {
      pass.statistic(norm_.running_mean)[c] = samples * mean_[c];
      pass.statistic(norm_.running_variance)[c] = samples * formula::unbiased(rows) * variance_[c];
    }
  }

  BatchNormOp norm_;
  NormOp fused_;
  OpContext op_;
  DropoutBytes bytes_;
  // Of the pass under way:
  NormForm form_{};
  at::Tensor x_, y_;
  std::vector<float> mean_, variance_, factor_, offset_;  // [channels]
  std::vector<float> sum_d_, sum_dx_, kd_, kx_, k1_;      // [channels], backward
};

}  // namespace

std::unique_ptr<OpRunner> make_norm(const NormOp& norm, const OpContext& context) {
  if (context.type == at::kFloat) return std::make_unique<Norm<float>>(norm, context);
  return std::make_unique<Norm<Bf16>>(norm, context);
}

}  // namespace lockstep
