#include "comm/own_container.h"

#include <unistd.h>

#include <array>
#include <fstream>
#include <string>
#include <string_view>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

// With what follows, as mpirun.openmpi.
constexpr std::array<std::string_view, 9> kStarters = {
    "mpirun", "mpiexec", "orterun", "orted", "oshrun", "prted", "prterun", "slurmstepd", "srun"};

std::string name_of(::pid_t process) {
  std::string name;
  std::ifstream file(fmt::format("/proc/{}/comm", process));
  std::getline(file, name);
  return name;
}

// 0 for one whose parent is out of sight, and where it cannot be read.
::pid_t parent_of(::pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/status", process));
  for (std::string word; file >> word;) {
    ::pid_t parent = 0;
    if (word == "PPid:" && file >> parent) return parent;
  }
  return 0;
}

}  // namespace

bool is_in_own_container() {
  for (::pid_t process = ::getppid(); process > 0; process = parent_of(process)) {
    const std::string name = name_of(process);
    for (const std::string_view starter : kStarters) {
      if (name.starts_with(starter)) return false;
    }
  }
  return true;
}

}  // namespace lockstep
