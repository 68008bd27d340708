// The kernels of src/gpu/kernels on one GPU, for activations of one precision. Owned by
// the accelerator.
#pragma once

#include <cuda.h>

#include <map>
#include <string>

#include "lockstep/gpu/accelerator.h"

namespace lockstep {

class Kernels {
 public:
  // Compiles and loads them for the GPU that is current. Error (1) where that fails.
  Kernels(int device, Precision precision);
  ~Kernels();
  Kernels(const Kernels&) = delete;
  Kernels& operator=(const Kernels&) = delete;

  void launch(const KernelCall& call, CUstream stream);

 private:
  void load_functions() const;
  CUfunction find(const char* name);

  CUmodule module_ = nullptr;
  std::map<std::string, CUfunction, std::less<>> functions_;
};

}  // namespace lockstep
