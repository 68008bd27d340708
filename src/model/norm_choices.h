// The choices of a NormForm as constants, so that loops over it have no branches. In an unnamed
// namespace: code for one instruction set must not be linked into another's place.
#pragma once

#include "model/kernels.h"

namespace lockstep {

namespace {

// Calls use.operator()<relu before?, relu after?, drop?>().
template <typename Use>
inline void with_norm_choices(const NormForm& form, Use use) {
  const int choices =
      (form.relu_before ? 4 : 0) + (form.relu_after ? 2 : 0) + (form.bits != nullptr ? 1 : 0);
  switch (choices) {
    case 0:
      return use.template operator()<false, false, false>();
    case 1:
      return use.template operator()<false, false, true>();
    case 2:
      return use.template operator()<false, true, false>();
    case 3:
      return use.template operator()<false, true, true>();
    case 4:
      return use.template operator()<true, false, false>();
    case 5:
      return use.template operator()<true, false, true>();
    case 6:
      return use.template operator()<true, true, false>();
    default:
      return use.template operator()<true, true, true>();
  }
}

}  // namespace

}  // namespace lockstep
