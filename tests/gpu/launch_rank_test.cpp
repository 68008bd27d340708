// A kernel launched with another's arguments does not compile.

#include <gtest/gtest.h>

#include "gpu/device.h"

namespace lockstep {
namespace {

template <typename Kernel, typename Arguments>
concept Launchable = requires(Accelerator& accelerator, Kernel kernel, Arguments arguments) {
  launch(accelerator, kernel, Grid{}, arguments);
};

static_assert(Launchable<decltype(gpu::kNormForward), gpu::Norm>);
static_assert(!Launchable<decltype(gpu::kNormForward), gpu::Gate>);
static_assert(!Launchable<decltype(gpu::kGateBackward), gpu::Norm>);
static_assert(!Launchable<const char*, gpu::Norm>);

TEST(Launch, NamesTheKernelsFunction) { EXPECT_STREQ(gpu::kNormForward.name, "norm_forward"); }

}  // namespace
}  // namespace lockstep
