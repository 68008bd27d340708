"""How mpirun places the ranks of a Slurm job, each on cores of its own where a node has them.
As a program, `python3 binding.py RANKS THREADS`, it prints that for a batch script."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass

from message_folder import shortage
from probe import available_cores, cores_of_group, physical_cores, shared_memory


@dataclass(frozen=True)
class Cpus:
    """What a process may run on; not whole: what mpirun, which knows the control group alone,
    would bind to others, or to those of another job."""

    logical: int
    physical: int
    is_whole: bool


def cpus_here() -> Cpus:
    """Those of this process."""
    physical = physical_cores()
    mine = os.sched_getaffinity(0)
    given = os.environ.get("SLURM_CPUS_ON_NODE", "")  # which Slurm may keep no job within
    is_part = given.isdecimal() and _is_part(int(given), physical, len(mine))
    return Cpus(available_cores(), physical, mine == cores_of_group() and not is_part)


def _is_part(given: int, physical: int, logical: int) -> bool:
    """Whether a job that Slurm gave so many CPUs has less than what its process may run on. A
    CPU of Slurm's is a core or, with hyperthreads, one of its threads, as it was set up."""
    if given < physical or given >= logical:
        return given < physical
    if of_node := _cpus_by_slurm():
        return given * (os.cpu_count() or logical) < of_node * logical
    return given > physical


def _cpus_by_slurm() -> int:
    """All of this node as Slurm counts them; 0 where it does not say."""
    try:
        done = subprocess.run(
            ["scontrol", "show", "node", "-o", os.environ["SLURMD_NODENAME"]],
            capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=20, check=False)
    except (KeyError, OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r"\bCPUTot=(\d+)", done.stdout)
    return int(found[1]) if found else 0


def mapping_words(map_by: str, ranks: int, threads: int, node: Cpus | None) -> list[str]:
    """Words for mpirun that place `ranks` on a node by `map_by`, as ppr:2:node, bound to cores
    where each thread has one; None: it is not known what the node has."""
    needed = ranks * threads
    if node and node.is_whole and needed <= node.physical:
        return ["--map-by", f"{map_by}:PE={threads}"]
    if node and node.is_whole and needed <= node.logical:
        return ["--map-by", f"{map_by}:PE={threads}", "--bind-to", "hwthread",
                "--use-hwthread-cpus"]
    return ["--map-by", map_by, "--bind-to", "none"]


def shared_cores(ranks: int, threads: int, cpus: int) -> str:
    """What to say where there are more workers than cores; empty where there are not."""
    if ranks * threads <= cpus:
        return ""
    all_cpus = os.cpu_count() or cpus
    of_all = f" of the {all_cpus} of this machine" if cpus < all_cpus else ""
    return (f"{_count(ranks, 'rank')} of {_count(threads, 'thread')} share {_count(cpus, 'core')}, "
            f"all that this process may use{of_all}: they take turns and are not bound; ask for "
            "fewer, or for more cores (taskset, control group, scheduler)")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def main(arguments: list[str]) -> None:
    """In a batch script."""
    ranks, threads = map(int, arguments)
    node = cpus_here()
    for text in (shared_cores(ranks, threads, node.logical), shortage(ranks, shared_memory())):
        if text:
            print(f"lockstep: {text}", file=sys.stderr)
    print(shlex.join(mapping_words(f"ppr:{ranks}:node", ranks, threads, node)))


if __name__ == "__main__":
    main(sys.argv[1:])
