// One function out of an overload for each type that a variant holds, for std::visit. A type that
// has none does not compile.
#pragma once

namespace lockstep {

template <typename... Overloads>
struct Match : Overloads... {
  using Overloads::operator()...;
};

}  // namespace lockstep
