// For hot loops: the function is compiled for several generations of x86-64
// processors, and the loader picks the best one that the machine has.
#pragma once

// The picking runs before a sanitizer is ready.
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define LOCKSTEP_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define LOCKSTEP_CLONES
#endif
