// Loses memory in a world of ranks. The leak must be seen in spite of what
// leaks.supp leaves out.

#include <cstdio>

#include "lockstep/comm/communicator.h"

namespace {

void lose(std::size_t bytes) {
  char* volatile lost = new char[bytes];
  lost[0] = 1;
}

}  // namespace

int main() {
  const auto comm = lockstep::connect();
  comm->barrier();
  lose(997);
  std::puts("planted a leak");
}
