#include "comm/other_launchers.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

struct Launcher {
  const char* name;
  const char* mark;  // set wherever the others are its own
  const char* size;  // null where it does not say
  const char* rank;
};

// Before those of MPICH's kind, which libraries of others imitate: what says more.
constexpr std::array kLaunchers = {
    Launcher{"Flux", "FLUX_JOB_SIZE", "FLUX_JOB_SIZE", "FLUX_TASK_RANK"},
    Launcher{"PALS", "PALS_RANKID", "PMI_SIZE", "PALS_RANKID"},
    Launcher{"ALPS (aprun)", "ALPS_APP_PE", "PMI_SIZE", "ALPS_APP_PE"},
    Launcher{"MVAPICH2's mpirun", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE",
             "MV2_COMM_WORLD_RANK"},
    Launcher{"jsrun", "JSM_NAMESPACE_SIZE", "JSM_NAMESPACE_SIZE", "JSM_NAMESPACE_RANK"},
    Launcher{"the mpirun of MPICH or Intel MPI", "PMI_SIZE", "PMI_SIZE", "PMI_RANK"},
    Launcher{"the mpirun of MPICH or Intel MPI", "PMI_RANK", nullptr, "PMI_RANK"},
    Launcher{"torchrun", "TORCHELASTIC_RUN_ID", "WORLD_SIZE", "RANK"},
};

// Empty for a variable that is not there or is no number.
std::optional<int> number_in(const char* variable) {
  const char* value = variable == nullptr ? nullptr : std::getenv(variable);
  if (value == nullptr) return {};
  const std::string_view text = value;
  int number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

}  // namespace

void refuse_other_launchers() {
  const std::optional<int> tasks = number_in("SLURM_STEP_NUM_TASKS");
  if (tasks.value_or(1) > 1 && std::getenv("SLURM_PROCID") != nullptr) {
    fail_usage(
        "srun started {} tasks without PMIx, so each would be a world of its own; use "
        "srun --mpi=pmix",
        *tasks);
  }
  for (const Launcher& launcher : kLaunchers) {
    if (std::getenv(launcher.mark) == nullptr) continue;
    const int rank = number_in(launcher.rank).value_or(0);
    const std::optional<int> size = number_in(launcher.size);
    // A rank above 0 is not alone, whatever its launcher tells of the size.
    if (std::max(size.value_or(1), rank + 1) < 2) continue;
    fail_usage(
        "started by {} as rank {} of {}, but built with Open MPI, so each would train alone; use "
        "launcher/lockstep, Open MPI's mpirun or srun --mpi=pmix",
        launcher.name, rank, size ? fmt::to_string(*size) : "several");
  }
}

}  // namespace lockstep
