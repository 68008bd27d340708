"""The hosts of a job: which ones, how many ranks on each, and the words for mpirun."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console import EXIT_USAGE, LauncherError
from interfaces import interface_words
from job import folders_in_environment

# mpirun finds that a host is gone when it has been silent for 5 s and does not answer
# three times in 2 s each.
KEEPALIVE = {"time": 5, "intvl": 2, "probes": 3}


@dataclass(frozen=True)
class Host:
    """A host and its ranks; None: as many as suit it. Of a scheduler's job also the CPUs that
    the job has there; None: all."""

    name: str
    slots: int | None = None
    cpus: int | None = None


def parse_hosts(text: str) -> list[Host]:
    """The hosts of `a:2,b:2`."""
    hosts = []
    for word in text.split(","):
        found = re.fullmatch(r"([A-Za-z0-9][\w.-]*)(?::(\d{1,4}))?", word.strip())
        if not found or found[2] and int(found[2]) == 0:
            raise LauncherError(f"--hosts: {word!r}; expected NAME or NAME:RANKS", EXIT_USAGE)
        hosts.append(Host(found[1], int(found[2]) if found[2] else None))
    return _merged(hosts, "--hosts")


def read_hostfile(path: Path) -> list[Host]:
    """The hosts of a file with lines `NAME slots=N`, as Open MPI's."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError as error:
        raise LauncherError(f"--hostfile {path}: {error.strerror}", EXIT_USAGE) from None
    hosts = []
    for number, line in enumerate(lines, 1):
        line = re.sub(r"#.*", "", line).strip()
        if not line:
            continue
        found = re.fullmatch(
            r"([A-Za-z0-9][\w.-]*)(?:\s+slots\s*=\s*([1-9]\d{0,3}))?(?:\s+max[-_]slots\s*=\s*\d+)?",
            line,
        )
        if not found:
            raise LauncherError(
                f"{path}, line {number}: {line!r}; expected NAME slots=N", EXIT_USAGE
            )
        hosts.append(Host(found[1], int(found[2]) if found[2] else None))
    if not hosts:
        raise LauncherError(f"--hostfile {path}: it names no host", EXIT_USAGE)
    return _merged(hosts, f"--hostfile {path}")


def _merged(hosts: list[Host], origin: str) -> list[Host]:
    """Each host once: a line or word for each rank is an old custom."""
    merged: dict[str, int | None] = {}
    for host in hosts:
        if host.name in merged:
            merged[host.name] = (merged[host.name] or 1) + (host.slots or 1)
        else:
            merged[host.name] = host.slots
    given = [slots is not None for slots in merged.values()]
    if any(given) and not all(given):
        bare = next(name for name, slots in merged.items() if slots is None)
        raise LauncherError(
            f"{origin}: {bare} has no number of ranks, but others have; give all or none",
            EXIT_USAGE,
        )
    return [Host(name, slots) for name, slots in merged.items()]


# --- Addresses ---


def is_here(name: str) -> bool:
    """Whether a host's name, or its address, is of this machine."""
    if name in ("localhost", socket.gethostname()):
        return True
    address = address_of(name)
    if not address:  # a scheduler may name hosts in a way of its own
        return name.split(".")[0] == socket.gethostname().split(".")[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            any_socket.bind((address, 0))  # the system lets only its own addresses
        except OSError:
            return False
    return True


def address_of(name: str) -> str:
    """The IPv4 address of a name; empty where it has none."""
    try:
        return socket.gethostbyname(name)
    except OSError:
        return ""


def _address_towards(other: str) -> str:
    """This machine's address on the way to another; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            any_socket.connect((other, 9))
            return str(any_socket.getsockname()[0])
        except OSError:
            return ""


def common_networks(networks: dict[str, dict[str, str]], own: dict[str, str]) -> list[str]:
    """The networks of the addresses by which the hosts and this machine know each other;
    none where one of them cannot be told. `networks`: of each host, by address; `own`: of
    this machine."""
    others = [name for name in networks if not is_here(name)]
    found = []
    for name, by_address in networks.items():
        if name in others:
            found.append(by_address.get(address_of(name)))
    if others:
        found.append(own.get(_address_towards(address_of(others[0]))))
    return [] if None in found else sorted({each for each in found if each})


# --- mpirun ---


@dataclass(frozen=True)
class Placement:
    """The ranks of each host, the threads of each rank, and how they are bound to cores."""

    slots: dict[str, int]
    threads: int
    bind_to: str  # core, hwthread, none
    networks: list[str]  # interfaces or networks to use; none: mpirun's choice
    stays_attached: bool = False  # what starts mpirun's daemons ends what they leave behind

    @property
    def ranks(self) -> int:
        """Of all hosts."""
        return sum(self.slots.values())


def place(
    lanes: int | None, hosts: list[Host], threads: int | None,
    answers: dict[str, dict[str, Any]],
) -> tuple[dict[str, int], int]:
    """Ranks by host, and threads: what the user asked for, or else all cores, and no idle
    ranks where there are lanes."""
    least = min((answer["cores"] for answer in answers.values()), default=1)
    slots = {}
    for host in hosts:
        count = host.slots
        if count is None:
            cores = answers[host.name]["cores"] if host.name in answers else least
            count = max(1, cores // (threads or 1))
            if lanes is not None:
                count = max(1, min(count, lanes // len(hosts)))
        slots[host.name] = count
    if threads is None:
        threads = max(1, min(
            (answer["cores"] // slots[name] for name, answer in answers.items()), default=1))
    return slots, threads


def place_in_job(
    most: int, hosts: list[Host], threads: int | None, answers: dict[str, dict[str, Any]]
) -> tuple[dict[str, int], int]:
    """As place(), in a scheduler's job: at most `most` ranks, as even as the hosts allow, and no
    more workers than the job has CPUs."""
    cpus = {host.name: host_cpus(host, answers) for host in hosts}
    room = {host.name: min(host.slots or cpus[host.name], cpus[host.name] // (threads or 1)) or 1
            for host in hosts}
    ranks = min(most, sum(room.values()))
    slots = dict.fromkeys(room, 0)
    while ranks:
        for name in room:
            if slots[name] < room[name] and ranks:
                slots[name] += 1
                ranks -= 1
    slots = {name: count for name, count in slots.items() if count}
    return slots, threads or max(1, min(cpus[name] // slots[name] for name in slots))


def host_cpus(host: Host, answers: dict[str, dict[str, Any]]) -> int:
    """Those that a job may use there."""
    there = answers[host.name]["cores"] if host.name in answers else host.cpus
    return min(there or 1, host.cpus or there or 1)


def choose_binding(
    slots: dict[str, int], threads: int, answers: dict[str, dict[str, Any]]
) -> str:
    """The smallest thing of which every worker can have one of its own."""
    def fits(kind: str) -> bool:
        return all(slots[name] * threads <= answers[name][kind] for name in slots)

    if fits("physical_cores"):
        return "core"
    return "hwthread" if fits("cores") else "none"


def command_line_on_hosts(
    binary: Path, command: str, arguments: list[str], placement: Placement
) -> list[str]:
    """The words that start a parallel command on hosts."""
    hosts = ",".join(f"{name}:{slots}" for name, slots in placement.slots.items())
    # Without -q, so that mpirun says which host it lost.
    words = ["mpirun", "--host", hosts, "-np", str(placement.ranks)]
    if placement.stays_attached:
        words.append("--leave-session-attached")
    if placement.bind_to == "none":
        words += ["--map-by", "slot", "--bind-to", "none", "--oversubscribe"]
    else:
        words += ["--map-by", f"slot:PE={placement.threads}", "--bind-to", placement.bind_to]
        if placement.bind_to == "hwthread":
            words.append("--use-hwthread-cpus")
    settings = {
        "plm": "rsh",
        "ras": "^gridengine",  # which would take away from the hosts named here
        "plm_rsh_no_tree_spawn": "1",  # only this machine need reach the others
        "pml": "ob1",
        "btl": "self,vader,tcp",
        "btl_base_warn_component_unused": "0",
        "btl_vader_single_copy_mechanism": "none",
        "odls_base_sigkill_timeout": "0",  # of a job that has failed: seconds sooner
    }
    settings |= {f"oob_tcp_keepalive_{name}": str(value) for name, value in KEEPALIVE.items()}
    for name, value in settings.items():
        words += ["--mca", name, value]
    if placement.networks or len(placement.slots) > 1:
        words += interface_words(",".join(placement.networks))
    for name in sorted({*folders_in_environment(Path(__file__).resolve().parents[1]), *passed_variables(os.environ)}):
        words += ["-x", name]
    return [*words, str(binary), command, "--threads", str(placement.threads), *arguments]


def passed_variables(names: Iterable[str]) -> list[str]:
    """Those that the ranks of other hosts shall see too."""
    libraries = ("LD_LIBRARY_PATH", "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA")
    return [name for name in names if name.startswith("LOCKSTEP_") or name in libraries]
