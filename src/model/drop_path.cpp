#include "lockstep/model/drop_path.h"

#include <ATen/ops/mul.h>

#include <utility>

#include "model/dropout_bytes.h"
#include "model/own_runners.h"

namespace lockstep {

at::Tensor DropPath::forward(const Pass& pass, at::Tensor x) {
  if (pass.mode == Mode::kInfer) return x;
  factors_ = factors(pass);
  return at::mul(x, factors_);
}

at::Tensor DropPath::backward(const Pass& /*pass*/, at::Tensor dy) {
  return at::mul(dy, std::exchange(factors_, {}));
}

namespace {

class OwnDropPath final : public DropPath {
 public:
  OwnDropPath(const DropPathOp& drop, const OpContext& context)
      : drop_(drop.drop), type_(context.type) {}

 private:
  // A sample's byte is that of the first value of a dropout.
  at::Tensor factors(const Pass& pass) override {
    const std::uint8_t* bytes = bytes_.draw(*pass.context, drop_.layer, *pass.batch, 1);
    at::Tensor factors = make_activations(pass.samples, {1, 1, 1}, at::kFloat);
    auto* to = factors.data_ptr<float>();
    for (int n = 0; n < pass.samples; ++n) {
      to[n] = bytes[n] < drop_.of_256 ? 0.0F : drop_.keep_scale();
    }
    return factors.to(type_);
  }

  DropoutOp drop_;
  at::ScalarType type_;
  DropoutBytes bytes_;
};

}  // namespace

std::unique_ptr<OpRunner> make_drop_path(const DropPathOp& drop, const OpContext& context) {
  return std::make_unique<OwnDropPath>(drop, context);
}

}  // namespace lockstep
