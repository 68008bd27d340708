// The kernels for processors with AVX-512; flags in CMakeLists.txt.
#define LOCKSTEP_KERNELS kernels_avx512
#define LOCKSTEP_DEPTHWISE depthwise_avx512
#include "model/kernels.inc"
