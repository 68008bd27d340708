// All kernels, for activations of one precision: LOCKSTEP_BF16 is 0 or 1. Compiled by
// NVRTC when a GPU is taken, and by the host's compiler for the tests.

#include "gpu/kernels/gate.cuh"
#include "gpu/kernels/norm.cuh"
#include "gpu/kernels/step.cuh"
