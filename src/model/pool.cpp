// Average pooling, and max pooling of any window, by LibTorch.

#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/avg_pool2d_backward.h>
#include <ATen/ops/max_pool2d_with_indices.h>
#include <ATen/ops/max_pool2d_with_indices_backward.h>

#include <array>
#include <tuple>
#include <utility>

#include "model/torch_runner.h"

namespace lockstep {

template <>
class TorchRunner<PoolOp> final : public UnaryRunner {
 public:
  TorchRunner(const PoolOp& pool, const OpContext& /*context*/)
      : kind_(pool.kind),
        window_{pool.height, pool.width},
        strides_{pool.stride, pool.stride},
        padding_{pool.padding, pool.padding} {}

  at::Tensor forward(const Pass& pass, at::Tensor x) override {
    x = channels_first(x);
    at::Tensor y;
    if (kind_ == PoolOp::Kind::kAverage) {
      y = at::avg_pool2d(x, window_, strides_, padding_);
    } else {
      std::tie(y, places_) = at::max_pool2d_with_indices(x, window_, strides_, padding_);
    }
    if (pass.keeps()) {
      x_ = std::move(x);
    } else {
      places_.reset();
    }
    return channels_last(y).contiguous();
  }

  at::Tensor backward(const Pass& /*pass*/, at::Tensor dy) override {
    const at::Tensor x = std::move(x_);
    const at::Tensor places = std::move(places_);
    dy = channels_first(dy);
    const at::Tensor dx =
        kind_ == PoolOp::Kind::kAverage
            ? at::avg_pool2d_backward(dy, x, window_, strides_, padding_, /*ceil_mode=*/false,
                                      /*count_include_pad=*/true, std::nullopt)
            : at::max_pool2d_with_indices_backward(dy, x, window_, strides_, padding_, {1, 1},
                                                   /*ceil_mode=*/false, places);
    return channels_last(dx).contiguous();
  }

 private:
  PoolOp::Kind kind_;
  std::array<std::int64_t, 2> window_;
  std::array<std::int64_t, 2> strides_;
  std::array<std::int64_t, 2> padding_;
  at::Tensor x_;       // of the pass under way
  at::Tensor places_;  // of the largest in each window
};

template std::unique_ptr<OpRunner> make_torch_runner(const PoolOp&, const OpContext&);

}  // namespace lockstep
