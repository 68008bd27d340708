"""What mpirun and the ranks need of this process's surroundings, checked before they start."""

from __future__ import annotations

import os
import re
import resource
from pathlib import Path

from allocations import has_terminal, is_task
from console import EXIT_USAGE, LauncherError

SECONDS = ("LOCKSTEP_SOFT_LIMIT_SECONDS", "LOCKSTEP_HARD_LIMIT_SECONDS",
           "LOCKSTEP_LONG_WORK_LIMIT_SECONDS")
# Others that start copies, as src/comm/other_launchers.cpp knows them: the variable that each of
# them sets, and where the number of copies and that of this one stand.
STARTERS = (
    ("flux run", "FLUX_TASK_RANK", "FLUX_JOB_SIZE", "FLUX_TASK_RANK"),
    ("the mpiexec of PALS", "PALS_RANKID", "PMI_SIZE", "PALS_RANKID"),
    ("aprun", "ALPS_APP_PE", "PMI_SIZE", "ALPS_APP_PE"),
    ("the mpirun of MVAPICH2", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE",
     "MV2_COMM_WORLD_RANK"),
    ("jsrun", "JSM_NAMESPACE_SIZE", "JSM_NAMESPACE_SIZE", "JSM_NAMESPACE_RANK"),
    ("the mpirun of MPICH or Intel MPI", "PMI_RANK", "PMI_SIZE", "PMI_RANK"),
    ("torchrun", "TORCHELASTIC_RUN_ID", "WORLD_SIZE", "RANK"),
)
FILES_OF_MPIRUN = 40  # it hangs where it cannot open one
FILES_OF_RANK = 10  # of mpirun for each of its ranks


def check_variables(env: dict[str, str]) -> None:
    """The numbers that the program takes from its environment."""
    for name in SECONDS:
        text = env.get(name, "1")
        number = re.fullmatch(r"\d{1,9}(\.\d*)?|\.\d+", text)
        if not number or float(text) <= 0:
            raise LauncherError(f"{name} is {text!r}: expected seconds, more than 0", EXIT_USAGE)


def check_alone(command: str, binary: Path, env: dict[str, str]) -> None:
    """Ends with one line where this is one of several copies, each of which would start a whole
    job."""
    is_step = is_task(env) and not has_terminal(env)
    if is_step:
        starter, words, copies = "srun", "srun --mpi=pmix -n", env.get("SLURM_STEP_NUM_TASKS", "")
    else:
        starter, words, copies = "mpirun", "mpirun -np", env.get("OMPI_COMM_WORLD_SIZE", "")
    if copies.isdecimal() and int(copies) > 1:
        raise LauncherError(
            f"{starter} started {copies} copies of the launcher, and each would start a job of its "
            f"own; type {words} {copies} {binary} {command} ... for one job of {copies} ranks, or "
            f"the launcher with -np {copies} and without {starter}", EXIT_USAGE)
    if is_task(env) or copies:
        return
    for starter, mark, size, rank in STARTERS:
        count, number = env.get(size, "1"), env.get(rank, "0")
        is_one = not (count.isdecimal() and int(count) > 1
                      or number.isdecimal() and int(number) > 0)
        if mark in env and not is_one:
            copies = count if size in env else "several"
            raise LauncherError(
                f"{starter} started {copies} copies of the launcher, and each would start a job "
                f"of its own; type launcher/lockstep {command} ... without it: the launcher "
                "starts the ranks, on all hosts of the job around", EXIT_USAGE)


def check_for_mpirun(ranks: int, env: dict[str, str]) -> None:
    """Ends with one line for what mpirun hides or hangs for."""
    for name in ("TMPDIR", "TEMP", "TMP"):
        if folder := env.get(name):
            if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
                raise LauncherError(f"{name} is {folder!r}: expected a folder that can be written",
                                    EXIT_USAGE)
            break
    files = FILES_OF_MPIRUN + FILES_OF_RANK * ranks
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= files:
        return
    if hard != resource.RLIM_INFINITY and hard < files:
        raise LauncherError(f"at most {hard} files may be open (ulimit -n), but mpirun with {ranks} "
                            f"ranks needs about {files}", EXIT_USAGE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
