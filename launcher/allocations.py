"""The job of a scheduler around this process: which hosts it has, and how many ranks they take.
A scheduler is one entry of the table at the end."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field

from console import EXIT_USAGE, LauncherError, printable, say
from hosts import Host

LEAST_SPECIAL_STEP = 0xFFFFFFF0  # from here on: the shell of salloc, of sbatch, ...
MOST_BYTES = 1 << 22  # of a file of hosts
MOST_HOSTS = 4096
NAME = r"[A-Za-z0-9][\w.-]*"


@dataclass(frozen=True)
class Allocation:
    """A job: either the ranks of its nodes, whose names mpirun asks of Slurm, or its hosts."""

    job: str  # as "PBS job 12"
    threads: int = 1  # of each rank
    ranks_by_node: list[int] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)
    agent: str = ""  # what runs a command on a host, in place of ssh

    @property
    def ranks(self) -> int:
        """Of all nodes."""
        return sum(self.ranks_by_node)


@dataclass(frozen=True)
class Scheduler:
    """How the jobs of one kind are known."""

    marks: tuple[str, ...]  # variables that each of its jobs has; the first is the job's number
    read: Callable[[dict[str, str]], Allocation | None]  # None: use this host alone


def allocation(env: dict[str, str]) -> Allocation | None:
    """The job around this process; None outside of one, and in a task that may use this host
    alone."""
    for scheduler in SCHEDULERS:
        if all(env.get(mark) for mark in scheduler.marks):
            return scheduler.read(env)
    return None


def no_room(ranks: int, most: int, threads: int, job: str) -> LauncherError:
    """For a job that has room for `most` ranks of so many threads, not for `ranks`."""
    return LauncherError(
        f"-np is {ranks}, but the {job} around has room for {most} of {threads} "
        f"thread{'' if threads == 1 else 's'}; ask for fewer, or leave the job (unset its "
        "variables)", EXIT_USAGE)


def _refuse(job: str, fault: str, mark: str) -> LauncherError:
    return LauncherError(f"this is a process of {job}, but {fault}; type --hosts A:2,B:2 to name "
                         f"its hosts, or unset {mark} to use this host alone", EXIT_USAGE)


# --- What several of them have ---


def _lines(env: dict[str, str], variable: str, job: str, mark: str) -> list[str]:
    """Of the file that a variable names, without empty ones."""
    path = env[variable]
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise _refuse(job, f"{variable}, {path}, cannot be read: {error.strerror}", mark) from None
    if len(data) > MOST_BYTES:
        raise _refuse(job, f"{variable}, {path}, has more than {MOST_BYTES} bytes", mark)
    lines = [line for line in data.decode(errors="replace").splitlines() if line.strip()]
    if not lines:
        raise _refuse(job, f"{variable}, {path}, names no host", mark)
    return lines


def _hosts(entries: list[tuple[str, str]], origin: str, job: str, mark: str) -> dict[str, int]:
    """Slots by host, of its name and a number as they are written; each host once."""
    slots: dict[str, int] = {}
    for name, count in entries:
        if not re.fullmatch(NAME, name) or not re.fullmatch(r"\d{1,5}", count):
            text = printable(f"{name} {count}".strip()[:80])
            raise _refuse(job, f"{origin} has {text!r}: expected a host and its slots", mark)
        if int(count):
            slots[name] = slots.get(name, 0) + int(count)
    if not 0 < len(slots) <= MOST_HOSTS:
        raise _refuse(job, f"{origin} names {len(slots)} hosts: expected 1 to {MOST_HOSTS}", mark)
    return slots


def _number(env: dict[str, str], name: str, otherwise: int) -> int:
    """A variable of a scheduler's; empty is as absent."""
    text = env.get(name) or str(otherwise)
    if not re.fullmatch(r"\d{1,9}", text):
        raise LauncherError(f"{name} is {text!r}: expected a number", EXIT_USAGE)
    return int(text)


# --- Slurm ---


def is_task(env: dict[str, str]) -> bool:
    """Whether srun started this process."""
    step = env.get("SLURM_STEP_ID", "")
    return "SLURM_JOB_ID" in env and step.isdecimal() and int(step) < LEAST_SPECIAL_STEP


def has_terminal(env: dict[str, str]) -> bool:
    """Whether this process is the one of srun --pty whose others end at once."""
    return "SLURM_PTY_PORT" in env and env.get("SLURM_PROCID") == "0"


def _slurm(env: dict[str, str]) -> Allocation | None:
    """As salloc or sbatch made it."""
    nodes = _number(env, "SLURM_JOB_NUM_NODES", 1)
    if is_task(env):
        # As in srun --pty bash: mpirun cannot start a step within a step.
        if nodes > 1 and (env.get("SLURM_STEP_NUM_TASKS") == "1" or has_terminal(env)):
            say(f"lockstep: this is one task of a Slurm job of {nodes} nodes: only this host is "
                "used; type salloc in place of srun --pty to use all")
        return None
    threads = max(1, _number(env, "SLURM_CPUS_PER_TASK", 1))
    cores = _counts(env, "SLURM_JOB_CPUS_PER_NODE") or [threads] * nodes
    by_node = [max(1, each // threads) for each in cores]
    if each := _number(env, "SLURM_NTASKS_PER_NODE", 0):
        by_node = [each] * nodes
    elif _number(env, "SLURM_NTASKS", 0) > 1:
        tasks = _number(env, "SLURM_NTASKS", 0)
        by_node = _counts(env, "SLURM_TASKS_PER_NODE") or [-(-tasks // nodes)] * nodes
    return Allocation(f"Slurm job {env['SLURM_JOB_ID']}", threads, by_node)


def _counts(env: dict[str, str], name: str) -> list[int]:
    """Of each node, from a list such as 2(x3),1."""
    counts: list[int] = []
    for part in (env.get(name) or "").split(","):
        match = re.fullmatch(r"(\d{1,9})(?:\(x(\d{1,6})\))?", part)
        if match:
            counts += [int(match[1])] * int(match[2] or 1)
        elif part:
            raise LauncherError(
                f"{name} is {env[name]!r}: expected counts as in 8(x2),2", EXIT_USAGE)
    return counts


# --- PBS and Torque ---


def _pbs(env: dict[str, str]) -> Allocation:
    """A line for each process of MPI. OpenPBS says by NCPUS how many threads one of them may
    have: where there is one on each host, as of select=2:ncpus=16, ranks may share its CPUs."""
    job = f"PBS job {env['PBS_JOBID']}"
    if not env.get("PBS_NODEFILE"):
        raise _refuse(job, "PBS_NODEFILE is not set", "PBS_JOBID")
    lines = _lines(env, "PBS_NODEFILE", job, "PBS_JOBID")
    slots = _hosts([(line.strip(), "1") for line in lines],
                   f"PBS_NODEFILE, {env['PBS_NODEFILE']},", job, "PBS_JOBID")
    threads = max(1, _number(env, "NCPUS", 1))
    if max(slots.values()) == 1:
        return Allocation(job, hosts=[Host(name, threads, threads) for name in slots])
    return Allocation(job, hosts=[Host(name, count, count * threads)
                                  for name, count in slots.items()])


# --- LSF ---


def _lsf(env: dict[str, str]) -> Allocation:
    """`a 4 b 4`, or a file of a line for each slot."""
    job, mark = f"LSF job {env['LSB_JOBID']}", "LSB_JOBID"
    if words := (env.get("LSB_MCPU_HOSTS") or "").split():
        pairs = list(zip(words[::2], [*words[1::2], ""]))
        slots = _hosts(pairs, "LSB_MCPU_HOSTS", job, mark)
    elif env.get("LSB_DJOB_HOSTFILE"):
        lines = _lines(env, "LSB_DJOB_HOSTFILE", job, mark)
        slots = _hosts([(line.strip(), "1") for line in lines],
                       f"LSB_DJOB_HOSTFILE, {env['LSB_DJOB_HOSTFILE']},", job, mark)
    else:
        raise _refuse(job, "neither LSB_MCPU_HOSTS nor LSB_DJOB_HOSTFILE is set", mark)
    first, *others = slots
    if others and slots[first] == 1 and min(slots[name] for name in others) > 1 \
            and shutil.which("jsrun"):
        say(f"lockstep: {first}, from which jsrun launches, gets no rank")
        del slots[first]
    agent = "blaunch" if shutil.which("blaunch") else ""
    return Allocation(job, hosts=[Host(name, count, count) for name, count in slots.items()],
                      agent=agent)


# --- Grid Engine ---


def _sge(env: dict[str, str]) -> Allocation:
    """Lines `host slots queue processors`; a job that is not parallel has this host alone."""
    job, mark = f"Grid Engine job {env['JOB_ID']}", "JOB_ID"
    if not env.get("PE_HOSTFILE"):
        slots = {socket.gethostname(): max(1, _number(env, "NSLOTS", 1))}
    else:
        lines = [line.split() for line in _lines(env, "PE_HOSTFILE", job, mark)]
        slots = _hosts([(words[0], words[1] if len(words) > 1 else "") for words in lines],
                       f"PE_HOSTFILE, {env['PE_HOSTFILE']},", job, mark)
    agent = "qrsh -inherit -V" if shutil.which("qrsh") else ""
    return Allocation(job, hosts=[Host(name, count, count) for name, count in slots.items()],
                      agent=agent)


# --- Flux ---


def _flux(env: dict[str, str]) -> Allocation | None:
    """The instance of `flux alloc` or `flux batch`; a task of `flux run` has this host."""
    if env.get("FLUX_TASK_RANK"):
        return None
    job, mark = "Flux instance", "FLUX_URI"
    names = expand_names(_ask_flux("getattr", "hostlist"))
    if not names:
        raise _refuse(job, "flux getattr hostlist gives no list of hosts", mark)
    # One rank of the instance, and so one line, is one host.
    slots = _hosts([(name, "1") for name in dict.fromkeys(names)], "flux getattr hostlist", job,
                   mark)
    cores = _ask_flux("resource", "list", "--states=all", "--no-header", "--format={ncores}")
    each = int(cores) // len(slots) if re.fullmatch(r"\d{1,9}", cores) else 0
    return Allocation(job, hosts=[Host(name, each or None, each or None) for name in slots])


def _ask_flux(*words: str) -> str:
    """What a command of Flux prints; empty where it fails."""
    try:
        done = subprocess.run(["flux", *words], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def expand_names(text: str) -> list[str]:
    """The hosts of n[1-3,07],m (RFC 29 of Flux, as Slurm's); none where it is not one."""
    names: list[str] = []
    parts = re.findall(r"(?:[^,\[\]]|\[[^\]]*\])+", text)
    if ",".join(parts) != text:
        return []
    for part in parts:
        found = re.fullmatch(r"([\w.-]*)(?:\[([\d,-]+)\])?([\w.-]*)", part)
        if not found:
            return []
        if found[2] is None:
            names.append(part)
            continue
        for piece in found[2].split(","):
            range_of = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", piece)
            if not range_of:
                return []
            first, last = int(range_of[1]), int(range_of[2] or range_of[1])
            if last - first >= MOST_HOSTS - len(names):
                return []
            names += [f"{found[1]}{number:0{len(range_of[1])}}{found[3]}"
                      for number in range(first, last + 1)]
    return names


# --- The table ---

# The innermost first: an instance of Flux may run in a job of another.
SCHEDULERS = (
    Scheduler(("FLUX_URI",), _flux),
    Scheduler(("SLURM_JOB_ID",), _slurm),
    Scheduler(("PBS_JOBID",), _pbs),
    Scheduler(("LSB_JOBID",), _lsf),
    Scheduler(("JOB_ID", "SGE_ROOT", "NSLOTS"), _sge),
)
