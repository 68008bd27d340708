#include "gpu/test_accelerator.h"

#include <cstdlib>
#include <string>

#include "gpu/host/host_accelerator.h"
#include "lockstep/core/error.h"
#include "lockstep/gpu/find_gpu.h"
#include "support/rank_test.h"

namespace lockstep {

namespace {

std::unique_ptr<Accelerator> make_test_accelerator() {
  const char* device = std::getenv("LOCKSTEP_TEST_DEVICE");
  if (device == nullptr) return make_host_accelerator();
  FoundGpu found = find_gpu(test_comm());
  if (found.gpu == nullptr) {
    fail_usage("LOCKSTEP_TEST_DEVICE is {}, but {}", device, found.reason);
  }
  return std::move(found.gpu);
}

}  // namespace

Accelerator& test_accelerator() {
  static const std::unique_ptr<Accelerator> accelerator = make_test_accelerator();
  return *accelerator;
}

}  // namespace lockstep
