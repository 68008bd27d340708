// The depthwise kernels for processors with AVX2 and FMA; flags in CMakeLists.txt.
#define LOCKSTEP_DEPTHWISE depthwise_avx2
#include "model/kernels_depthwise.inc"
