"""What `doctor` looks at on this machine, of what mpirun and the ranks need."""

from __future__ import annotations

import os
import re
import resource
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import probe
from binding import cpus_here, mapping_words, shared_cores
from findings import Finding, megabytes
from interfaces import is_of_one_host
from job import Machine, Shape, command_line, environment
from loader_faults import explain, loader_fault
from message_folder import SHARED_MEMORY, free_bytes, message_bytes
from surroundings import FILES_OF_MPIRUN, FILES_OF_RANK

LEAST_MEMORY = 1 << 29
SECONDS = 60  # for a program that answers at once

# Passes a file in memory on by /proc, as the ranks of a host do.
SHARES_MEMORY = """
import os, sys
file = os.memfd_create("trial")
os.write(file, b"seen")
print(file, flush=True)
sys.stdin.read()
"""


def check_cores(machine: Machine) -> Finding:
    """Mask, control group and quota."""
    mine, group = os.sched_getaffinity(0), probe.cores_of_group()
    text = f"CPUs {as_ranges(mine)} of {os.cpu_count()}, {machine.physical_cores} physical"
    if (limit := probe.quota()) < probe.MANY_CPUS:
        text += f", a quota of {limit}"
    advice = ""
    if mine != group:
        advice = (f"the control group has CPUs {as_ranges(group)}, but this process was started "
                  "with a part of them (taskset, or a task of another job): ranks are not bound")
    return Finding("cores", text, advice)


def check_ranks(shape: Shape, machine: Machine, in_slurm: bool) -> Finding:
    """What a training with these options takes of this host."""
    if in_slurm:
        node = cpus_here() if "SLURMD_NODENAME" in os.environ else None
        is_bound = "--bind-to" not in mapping_words("slot", shape.ranks, shape.threads, node)
    else:
        is_bound = "core" in command_line(Path("lockstep"), "train", [], shape, machine)
    text = (f"{shape.ranks} of {shape.threads} thread{'' if shape.threads == 1 else 's'}, "
            f"{'each bound to cores of its own' if is_bound else 'not bound'}")
    return Finding("ranks", text, shared_cores(shape.ranks, shape.threads, machine.cores))


def as_ranges(numbers: set[int]) -> str:
    """As 0-3,8."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def check_networks(several: bool) -> Finding:
    """Those between hosts; `several`: whether there is more than one."""
    used, unused = [], []
    for name, address, network in probe.interfaces():
        place = unused if is_of_one_host(name) else used
        place.append(f"{name} {address}/{network.rpartition('/')[2]}")
    parts = [f"{', '.join(used)} between hosts" if used else "none between hosts"]
    parts += [f"not {', '.join(unused)}"] if unused else []
    advice = ""
    if several and not used:
        advice = "no network leads to another host; ranks can be on this one alone"
    elif several and _own_address().startswith("127."):
        advice = (f"{socket.gethostname()} is {_own_address()} here (/etc/hosts): other hosts "
                  "cannot reach this one by that; put its address there, or give --interface")
    return Finding("networks", "; ".join(parts), advice)


def _own_address() -> str:
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return ""


def check_shared_memory(ranks: int) -> Finding:
    """That of the ranks' messages, and that of their sums."""
    wanted = message_bytes(ranks)
    free = free_bytes(SHARED_MEMORY)
    text = f"{SHARED_MEMORY}: {megabytes(free)} free"
    advice = ""
    if ranks > 1 and free < wanted:
        advice = (f"messages of {ranks} ranks want {megabytes(wanted)}: they are kept in a slower "
                  "place; give it more (docker run --shm-size=1g)")
    fault = _sharing_fault()
    text += "" if fault else ", memory is shared by /proc"
    return Finding("shared memory", text, advice or fault)


def _sharing_fault() -> str:
    """Why a process cannot open the memory of another one; empty where it can."""
    with subprocess.Popen([sys.executable, "-c", SHARES_MEMORY], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as other:
        assert other.stdout
        number = other.stdout.readline().strip()
        if not number:
            return "memfd_create fails: ranks of a host share memory by files, which is slower"
        try:
            with open(f"/proc/{other.pid}/fd/{number}", "rb") as file:
                os.lseek(file.fileno(), 0, os.SEEK_SET)
            return ""
        except OSError as error:
            scope = _text_of("/proc/sys/kernel/yama/ptrace_scope")
            return (f"/proc/PID/fd cannot be opened: {error.strerror} (yama ptrace_scope "
                    f"{scope or 'absent'}): ranks of a host need another way, which is slower")


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return ""


def check_memory() -> Finding:
    """What is free, and the control group's limit."""
    found = re.search(r"^MemAvailable:\s+(\d{1,15}) kB", _text_of("/proc/meminfo"), re.MULTILINE)
    free = int(found[1]) * 1024 if found else 0
    text = f"{megabytes(free)} free"
    limit = probe.memory_limit()
    if limit is not None:
        text += f", a limit of {megabytes(limit)}"
        free = min(free, limit)
    advice = ""
    if found and free < LEAST_MEMORY:
        advice = "little for a training; train --dry-run says what an experiment needs"
    return Finding("memory", text, advice)


def check_files(ranks: int) -> Finding:
    """How many may be open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_OF_MPIRUN + FILES_OF_RANK * ranks
    most = 1 << 62 if hard == resource.RLIM_INFINITY else hard
    names = ["any" if each == resource.RLIM_INFINITY else str(each) for each in (soft, hard)]
    advice = ""
    if most < wanted:
        advice = f"mpirun with {ranks} ranks needs about {wanted}; raise the limit (ulimit -n)"
    return Finding("open files", f"{names[0]}, at most {names[1]}", advice)


def check_gpus() -> Finding:
    """NVIDIA's: devices, driver."""
    devices = [path for path in Path("/dev").glob("nvidia*") if path.name[6:].isdecimal()]
    driver = re.search(r"Kernel Module\s+(?:for \S+\s+)?([\d.]+)",
                       _text_of("/proc/driver/nvidia/version"))
    if not devices and not driver:
        return Finding("GPUs", "none")
    text = f"{len(devices)}, driver {driver[1] if driver else 'unknown'}"
    listed = _output("nvidia-smi", "-L")
    names = re.findall(r"^GPU \d+: (.+?) \(UUID", listed[1], re.MULTILINE)
    text += f": {', '.join(dict.fromkeys(names))}" if names else ""
    if not devices:
        return Finding("GPUs", text, "a driver, but no /dev/nvidia0; run this with the GPU "
                       "(docker run --gpus all, --gpus-per-node)")
    if listed[0] not in (0, None):
        last = (listed[1].strip().splitlines() or ["no output"])[-1]
        return Finding("GPUs", text, f"nvidia-smi fails: {last}")
    return Finding("GPUs", text)


def _output(*words: str, env: dict[str, str] | None = None) -> tuple[int | None, str]:
    """Of a program: its status, None where there is no such program, and what it prints."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=env,
                              stderr=subprocess.STDOUT, timeout=SECONDS, check=False,
                              start_new_session=True)
    except subprocess.TimeoutExpired:
        return 124, f"no answer within {SECONDS} s"
    except OSError:
        return None, ""
    return done.returncode, done.stdout.decode(errors="replace")


def check_mpirun(root: Path, machine: Machine) -> Finding:
    """Its version, and whether it starts a process."""
    if not shutil.which("mpirun"):
        return Finding("Open MPI", "none", "mpirun is not in PATH; launcher/lockstep install")
    version = _output("mpirun", "--version")[1]
    found = re.search(r"\((?:Open MPI|OpenRTE)\) (\S+)", version)
    if not found:
        return Finding("Open MPI", "another MPI's mpirun", f"{shutil.which('mpirun')} comes first "
                       "in PATH; unload its module, or put Open MPI's before it")
    status, output = _output("mpirun", "--mca", "plm", "isolated", "-np", "1", "true",
                             env=environment(root, machine))
    text = f"{found[1]}, {shutil.which('mpirun')}"
    if status != 0:
        lines = [line for line in output.splitlines() if re.search(r"\w", line)]
        first = (lines or [f"it ended with {status}"])[0].strip()
        return Finding("Open MPI", text, f"mpirun -np 1 true fails: {first}")
    return Finding("Open MPI", f"{text} starts processes")


def check_program(binary: Path) -> Finding:
    """Whether it is built, and runs."""
    if not binary.exists():
        return Finding("program", "not built", "type launcher/lockstep build")
    status, output = _output(str(binary), "--version")
    lines = output.strip().splitlines() or [f"it ended with {status}"]
    if status == 0:
        return Finding("program", lines[0])
    faults = [fault for line in lines if (fault := loader_fault(line))]
    return Finding("program", str(binary),
                   explain(faults[0], dict(os.environ)) if faults else lines[-1])
