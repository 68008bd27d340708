"""Chooses ranks and threads, and runs the program, alone or under mpirun."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from console import LauncherError

# Commands whose work is shared between ranks.
PARALLEL_COMMANDS = ("train", "evaluate", "predict", "submit", "bench", "verify")
DEFAULT_LANES = 4  # of an experiment that does not say
EXPERIMENT_SUFFIXES = (".textproto", ".txtpb", ".pbtxt", ".prototxt")
EXIT_PEER = 4


@dataclass(frozen=True)
class Machine:
    """What this process may use: logical CPUs, and the physical cores behind them."""

    cores: int
    physical_cores: int
    is_root: bool


def available_cores() -> int:
    """CPUs that this process may run on, no more than its control group allows."""
    return max(1, min(len(os.sched_getaffinity(0)), _quota()))


def this_machine() -> Machine:
    """The machine that the launcher runs on."""
    siblings = {_first_sibling(cpu) for cpu in os.sched_getaffinity(0)}
    cores = available_cores()
    return Machine(cores, min(cores, len(siblings)), os.geteuid() == 0)


def _first_sibling(cpu: int) -> str:
    path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    try:
        return re.split(r"[,-]", path.read_text().strip())[0]
    except OSError:
        return str(cpu)


def _quota(root: Path = Path("/sys/fs/cgroup")) -> int:
    """Whole CPUs of the control group's quota, version 2 or 1; many without one."""
    try:
        if (root / "cpu.max").exists():
            quota, period = (root / "cpu.max").read_text().split()
        else:
            quota = (root / "cpu" / "cpu.cfs_quota_us").read_text()
            period = (root / "cpu" / "cpu.cfs_period_us").read_text()
        return max(1, int(quota) // int(period)) if int(quota) > 0 else 1 << 20
    except (OSError, ValueError):
        return 1 << 20


# --- Ranks and threads ---


@dataclass(frozen=True)
class Shape:
    """Ranks, and worker threads of each."""

    ranks: int
    threads: int


def choose_shape(
    command: str, arguments: list[str], ranks: int | None, threads: int | None, machine: Machine
) -> Shape:
    """What the user asked for, or else all cores: a rank each, but no idle ranks."""
    if ranks is None:
        most = lanes_of(arguments) if command in ("train", "bench") else machine.cores
        ranks = max(1, min(machine.cores // (threads or 1), most))
    return Shape(ranks, threads or max(1, machine.cores // ranks))


def lanes_of(arguments: list[str]) -> int:
    """The lanes of the experiment that `arguments` name: the most ranks that have work."""
    lanes = DEFAULT_LANES
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            path = path / "experiment.textproto"
        if path.suffix in EXPERIMENT_SUFFIXES and path.is_file():
            text = re.sub(r"#.*", "", path.read_text(errors="replace"))
            if found := re.search(r"\blanes\s*:\s*(\d+)", text):
                lanes = int(found[1])
            break
    for argument in arguments:
        if found := re.fullmatch(r"(?:--set=)?training\.lanes=(\d+)", argument):
            lanes = int(found[1])
    return lanes


def command_line(
    binary: Path, command: str, arguments: list[str], shape: Shape, machine: Machine
) -> list[str]:
    """The words that start a parallel command; one rank needs no mpirun."""
    program = [str(binary), command, "--threads", str(shape.threads), *arguments]
    if shape.ranks == 1:
        return program
    # Without -q, mpirun follows the program's own message with paragraphs.
    words = ["mpirun", "-q", "-np", str(shape.ranks)]
    # Binding is safe only for a job that fills the machine: two small jobs would
    # be bound to the same cores.
    fills = shape.threads == 1 and shape.ranks == machine.physical_cores == machine.cores
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


def environment(root: Path, machine: Machine) -> dict[str, str]:
    """What the program finds in its environment."""
    env = os.environ | {"LOCKSTEP_ROOT": str(root)}
    if machine.is_root:
        env |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return env


# --- Running ---


def run(words: list[str], env: dict[str, str]) -> int:
    """Runs the words in place of this process, or below it if they start mpirun."""
    if words[0] != "mpirun":
        os.execve(words[0], words, env)
    return _run_mpirun(words, env)


def _run_mpirun(words: list[str], env: dict[str, str]) -> int:
    # The ranks must not outlive a launcher that was killed.
    if setpriv := shutil.which("setpriv"):
        words = [setpriv, "--pdeathsig", "TERM", "--", *words]
    process: subprocess.Popen[bytes] | None = None
    received: list[int] = []

    def forward(number: int, _: object) -> None:
        # mpirun answers TERM by killing the ranks within seconds, but passes USR1 on:
        # the ranks save and end. Whoever asks twice does not want to wait.
        received.append(number)
        if process:
            process.send_signal(signal.SIGUSR1 if len(received) == 1 else signal.SIGTERM)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, forward)
    # A session of its own keeps the terminal's Ctrl-C from mpirun, which would kill
    # the ranks before they can save.
    process = subprocess.Popen(words, env=env, stdin=subprocess.DEVNULL, start_new_session=True)
    if received:  # while mpirun was being started
        process.send_signal(signal.SIGUSR1)
    return _exit_status(process.wait(), received)


def _exit_status(status: int, received: list[int]) -> int:
    """mpirun's status as the launcher's own; explains a rank that was killed."""
    killed_by = -status if status < 0 else status - 128
    if killed_by <= 0:
        return status
    if received:
        return 128 + received[0]
    try:
        name = signal.Signals(killed_by).name
    except ValueError:
        name = f"signal {killed_by}"
    raise LauncherError(f"a rank was killed by {name}; its peers were stopped", EXIT_PEER)
