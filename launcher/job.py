"""Chooses ranks and threads, and makes the command line of a job."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from probe import available_cores, can_be_written, cores_of_group, physical_cores

# Commands whose work is shared between ranks.
PARALLEL_COMMANDS = ("train", "evaluate", "predict", "submit", "bench", "pack", "verify", "report")
# Those among them that compute an experiment's lanes.
LANE_COMMANDS = ("train", "bench")
# What Slurm, mpirun and the other launchers that the program knows tell their processes.
OF_LAUNCHERS = re.compile(r"(OMPI|PMIX|PMI|MV2|JSM|PALS|ALPS|FLUX|TORCHELASTIC|SLURM)_")


@dataclass(frozen=True)
class Machine:
    """What this process may use: logical CPUs, and the physical cores behind them; whether
    those are all that its control group has, as mpirun takes for granted where it binds."""

    cores: int
    physical_cores: int
    is_root: bool
    is_whole: bool = True


def this_machine() -> Machine:
    """The machine that the launcher runs on."""
    is_whole = os.sched_getaffinity(0) == cores_of_group()
    return Machine(available_cores(), physical_cores(), os.geteuid() == 0, is_whole)


def part_of(machine: Machine, cores: int | None) -> Machine:
    """The machine, of which a scheduler gives a job so many cores; None: all."""
    if cores is None or cores >= machine.cores:
        return machine
    return replace(machine, cores=cores, is_whole=False)


# --- Ranks and threads ---


@dataclass(frozen=True)
class Shape:
    """Ranks, and worker threads of each."""

    ranks: int
    threads: int


def choose_shape(
    most: Callable[[], int], ranks: int | None, threads: int | None, machine: Machine
) -> Shape:
    """What the user asked for, or else all cores: a rank each, but no idle ranks. `most` is
    asked for the ranks that have work only where the user does not say."""
    if ranks is None:
        ranks = max(1, min(machine.cores // (threads or 1), most()))
    return Shape(ranks, threads or max(1, machine.cores // ranks))


def program_words(binary: Path, command: str, arguments: list[str], threads: int) -> list[str]:
    """The words of one rank."""
    return [str(binary), command, "--threads", str(threads), *arguments]


def command_line(
    binary: Path, command: str, arguments: list[str], shape: Shape, machine: Machine
) -> list[str]:
    """The words that start a parallel command; one rank needs no mpirun."""
    program = program_words(binary, command, arguments, shape.threads)
    if shape.ranks == 1:
        return program
    # Without -q, which hides why mpirun could not begin.
    words = ["mpirun", "-np", str(shape.ranks)]
    # Binding is safe only for a job that fills the machine: two small jobs would
    # be bound to the same cores.
    fills = (machine.is_whole and shape.threads == 1
             and shape.ranks == machine.physical_cores == machine.cores)
    words += ["--bind-to", "core" if fills else "none"]
    if shape.ranks > machine.physical_cores:
        words.append("--oversubscribe")
    # One host: no remote shell, and no search for network hardware, which takes
    # longer than all the rest of the start.
    words += ["--mca", "plm", "isolated"]
    words += ["--mca", "pml", "ob1", "--mca", "btl", "self,vader,tcp"]
    words += ["--mca", "btl_base_warn_component_unused", "0"]
    # Containers often forbid reading another process's memory.
    words += ["--mca", "btl_vader_single_copy_mechanism", "none"]
    return words + program


def models_folder(root: Path) -> Path:
    """Where run folders are made: the project's models/, or ~/lockstep/models for a user who
    may only read the project."""
    here = root / "models"
    return here if can_be_written(str(here)) else Path.home() / "lockstep" / "models"


def folders_in_environment(root: Path) -> dict[str, str]:
    """What tells the program where the project and the run folders are."""
    models = models_folder(root)
    own = {} if models == root / "models" else {"LOCKSTEP_MODELS": str(models)}
    return {"LOCKSTEP_ROOT": str(root), **own}


def environment(root: Path, machine: Machine) -> dict[str, str]:
    """What the program finds in its environment."""
    env = os.environ | folders_in_environment(root)
    if machine.is_root:
        env |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return env


def environment_alone(env: dict[str, str]) -> dict[str, str]:
    """The same for a program that is alone, whoever started the launcher: it would take itself
    for a rank of that job, or for one of several copies."""
    return {name: value for name, value in env.items() if not OF_LAUNCHERS.match(name)}
