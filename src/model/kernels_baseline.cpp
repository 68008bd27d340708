// The kernels for processors with no more than x86-64's base; flags in CMakeLists.txt.
#define LOCKSTEP_KERNELS kernels_baseline
#define LOCKSTEP_DEPTHWISE depthwise_baseline
#include "model/kernels.inc"
