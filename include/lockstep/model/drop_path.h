// Stochastic depth (Huang et al., 2016): the values of a sample are all dropped, or all kept and
// divided by the part of samples that is kept.
#pragma once

#include "lockstep/model/op_runner.h"

namespace lockstep {

class DropPath : public UnaryRunner {
 public:
  at::Tensor forward(const Pass& pass, at::Tensor x) final;
  at::Tensor backward(const Pass& pass, at::Tensor dy) final;

 private:
  // [samples, 1, 1, 1], on the pass's device: 0 or the factor of what is kept.
  virtual at::Tensor factors(const Pass& pass) = 0;

  at::Tensor factors_;  // of the pass under way
};

}  // namespace lockstep
