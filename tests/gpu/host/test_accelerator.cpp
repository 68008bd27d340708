#include "gpu/test_accelerator.h"

#include "gpu/host/host_accelerator.h"

namespace lockstep {

Accelerator& test_accelerator() {
  static const std::unique_ptr<Accelerator> accelerator = make_host_accelerator();
  return *accelerator;
}

bool test_accelerator_is_host() { return test_accelerator().index() == kHostIndex; }

}  // namespace lockstep
