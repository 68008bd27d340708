// The kernels for processors with AVX2 and FMA; flags in CMakeLists.txt.
#define LOCKSTEP_KERNELS kernels_avx2
#define LOCKSTEP_DEPTHWISE depthwise_avx2
#include "model/kernels.inc"
