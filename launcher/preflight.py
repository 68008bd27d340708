"""Asks all hosts of a job at once what they have for it, and says what is wrong."""

from __future__ import annotations

import base64
import json
import os
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import probe
from allocations import Allocation, no_room
from console import EXIT_USAGE, LauncherError, say
from experiment import Experiment, ask
from hosts import Host, Placement, choose_binding, common_networks, host_cpus, is_here, place
from hosts import place_in_job
from job import LANE_COMMANDS, models_folder
from message_folder import shortage
from paths import as_named
from run_files import EXPERIMENT_FILE
from running import take_option

DEADLINE_SECONDS = 20  # for a host's answer
MOST_CLOCK_SECONDS = 5.0
MOST_RANKS = 1 << 20
AGENT = "OMPI_MCA_plm_rsh_agent"
SSH = ("ssh", "-x", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10")


@dataclass(frozen=True)
class Needs:
    """What every host must have: the program and files that can be read, a folder to work
    in, folders where files are made, all as absolute paths; a GPU for each rank or not."""

    program: str
    files: list[str]
    folder: str
    folders: list[str]
    gpus: bool = False


def needs_of(
    binary: Path, command: str, arguments: list[str], experiment: Experiment | None, root: Path
) -> Needs:
    """Of a command. Every rank reads experiment, weights and data, and writes its own log in
    the run folder; all else is the first rank's. None: only the weights know the experiment."""
    files = [word for word in _without_outputs(arguments) if Path(word).exists()]
    if experiment and not take_option(arguments, "--data")[1]:
        data = (experiment.test if command in ("predict", "submit")
                else experiment.train + experiment.validation)
        files += [str(root / path) for path in data]
        if command == "train":
            # A training that goes on does not read them, so they may be gone.
            weights = [root / path for path in experiment.weights]
            files += [str(path) for path in weights if path.exists()]
    folders = []
    if command == "train":
        run_dir = take_option(arguments, "--run-dir")[1]
        folders = [as_named(run_dir or models_folder(root))]
    return Needs(
        str(binary), list(dict.fromkeys(map(as_named, files))), as_named(os.getcwd()), folders,
        gpus=bool(experiment and experiment.gpus),
    )


def _without_outputs(arguments: list[str]) -> list[str]:
    """The words that may name something to read."""
    outputs = ("--out", "--run-dir", "--resume", "--set")
    return [word for before, word in zip(["", *arguments], arguments) if before not in outputs]


def experiment_of(binary: Path, command: str, arguments: list[str]) -> Experiment | None:
    """Of a command: the one that it names, or that of its run folder."""
    if command in LANE_COMMANDS:
        return ask(binary, arguments, command)
    files = [Path(word, EXPERIMENT_FILE) for word in arguments]
    return next((ask(binary, [str(path)]) for path in files if path.is_file()), None)


# --- Asking ---


class Unreachable(Exception):
    """Why a host gave no answer."""


def agent() -> list[str]:
    """The words before a host's name that run a command there, as mpirun finds them."""
    value = os.environ.get(AGENT, "").split(":")[0].split()
    return value or list(SSH)


def ask_host(host: str, needs: Needs) -> dict[str, Any]:
    """The answer of the probe on a host, with `clock_seconds`: how far its clock is off, at
    least."""
    request = base64.urlsafe_b64encode(json.dumps(vars(needs)).encode()).decode()
    words = [sys.executable] if is_here(host) else [*agent(), host, "python3"]
    begin = time.time()
    try:
        with open(probe.__file__, "rb") as script:
            done = subprocess.run(
                [*words, "-", request], stdin=script, capture_output=True, text=True,
                timeout=DEADLINE_SECONDS, check=False, start_new_session=True,
            )
    except subprocess.TimeoutExpired:
        raise Unreachable(f"no answer within {DEADLINE_SECONDS} s") from None
    except OSError as error:
        hint = "; install openssh-client" if words[0] == "ssh" else ""
        raise Unreachable(f"{words[0]}: {error.strerror}{hint}") from None
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        lines = done.stderr.strip().splitlines() or [f"{words[0]} ended with {done.returncode}"]
        raise Unreachable(lines[-1]) from None
    answer["clock_seconds"] = clock_offset(begin, answer["time"], time.time())
    return answer


def clock_offset(begin: float, there: float, end: float) -> float:
    """Seconds by which a clock read between `begin` and `end` is off, at least; negative:
    behind."""
    return min(0.0, there - begin) + max(0.0, there - end)


# --- Judging ---


def judge(answers: dict[str, dict[str, Any]], needs: Needs, digest: str) -> dict[str, list[str]]:
    """What each host that answered lacks, with the fix; `digest`: of this machine's build."""
    problems = {}
    for name, answer in answers.items():
        found = _program_problems(answer, needs, digest)
        if not answer["has_folder"]:
            found.append(f"has no folder {needs.folder}, where the command was given; share it")
        for i, path in enumerate(needs.files):
            size = answer["sizes"][i]
            origin, expected = _first_size(answers, i)
            if size is None:
                found.append(f"cannot read {path}; copy it there or share its folder")
            elif size != expected:
                found.append(
                    f"has another {path}: {size} bytes, on {origin} {expected}; copy it again")
        for path in answer["unwritable"]:
            found.append(f"cannot write in {path}; every rank keeps a log in the run folder")
        offset = answer["clock_seconds"]
        if abs(offset) > MOST_CLOCK_SECONDS:
            word = "ahead" if offset > 0 else "behind"
            found.append(f"its clock is {abs(offset):.0f} s {word}; set it (chrony, ntpd)")
        problems[name] = found
    return problems


def _first_size(answers: dict[str, dict[str, Any]], index: int) -> tuple[str, int | None]:
    """The first host that has a file, and the size there."""
    return next(
        ((name, answer["sizes"][index]) for name, answer in answers.items()
         if answer["sizes"][index] is not None), ("", None))


def room_problems(
    answers: dict[str, dict[str, Any]], slots: dict[str, int], threads: int, needs: Needs
) -> dict[str, list[str]]:
    """Hosts that have fewer cores or GPUs than asked for."""
    problems: dict[str, list[str]] = {name: [] for name in answers}
    for name, answer in answers.items():
        if slots[name] * threads > answer["cores"]:
            problems[name].append(
                f"{_count(slots[name], 'rank')} of {_count(threads, 'thread')}, but "
                f"{_count(answer['cores'], 'core')}; ask for fewer, or give --oversubscribe")
        if needs.gpus and slots[name] > answer["gpus"]:
            problems[name].append(
                f"{_count(slots[name], 'rank')}, each on a GPU, but "
                f"{_count(answer['gpus'], 'GPU')}; ask for fewer or set device: CPU")
    return problems


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _program_problems(answer: dict[str, Any], needs: Needs, digest: str) -> list[str]:
    if not answer["has_orted"]:
        return ["has no Open MPI (orted is not in its PATH); install openmpi-bin"]
    if answer["digest"] is None:
        return [f"has no {needs.program}; share this folder, or copy it to the same path"]
    if answer["digest"] != digest:
        return [f"has another build of {needs.program}; copy this machine's to it"]
    if answer["fault"]:
        return [f"cannot run {needs.program}: {answer['fault']}"]
    return []


@dataclass(frozen=True)
class Wishes:
    """What the user asks of the hosts; None: what suits them."""

    hosts: list[Host]
    threads: int | None = None
    interface: str | None = None
    oversubscribe: bool = False
    ranks: int | None = None  # of all hosts, in a scheduler's job
    job: Allocation | None = None


def prepare_hosts(lanes: int | None, wishes: Wishes, needs: Needs) -> Placement:
    """Asks all hosts, and gives where the ranks go; raises LauncherError with a line for
    everything that is wrong anywhere."""
    answers, lines = ask_all(wishes.hosts, needs)
    if wishes.job:
        slots, threads = _place_in_job(lanes, wishes, wishes.job, answers)
    else:
        slots, threads = place(lanes, wishes.hosts, wishes.threads, answers)
    found = judge(answers, needs, probe.digest_of(needs.program) or "")
    room = {} if wishes.oversubscribe else room_problems(answers, slots, threads, needs)
    for name in (name for name in answers if name in slots):
        lines += [f"{name}: {problem}" for problem in (*found[name], *room.get(name, []))]
    if lines:
        raise LauncherError("\nlockstep: ".join(lines), EXIT_USAGE)
    for name, ranks in slots.items():
        if text := shortage(ranks, answers[name].get("shared_memory")):
            say(f"lockstep: {name}: {text}")
    networks = [wishes.interface] if wishes.interface else common_networks(
        {name: answer["networks"] for name, answer in answers.items()}, probe.networks())
    # A part of a host has no cores of its own.
    is_part = any(answers[host.name]["cores"] > host_cpus(host, answers) for host in wishes.hosts)
    bind_to = "none" if is_part else choose_binding(slots, threads, answers)
    return Placement(slots, threads, bind_to, networks,
                     stays_attached=bool(wishes.job and wishes.job.agent))


def _place_in_job(
    lanes: int | None, wishes: Wishes, job: Allocation, answers: dict[str, dict[str, Any]]
) -> tuple[dict[str, int], int]:
    """Where the ranks go; raises LauncherError for more than the job has room for."""
    if wishes.oversubscribe:  # what the job says counts, whatever a host has
        there = {host.name: host.cpus or 0 for host in wishes.hosts}
        answers = {name: answer | {"cores": max(answer["cores"], there[name])}
                   for name, answer in answers.items()}
    slots, threads = place_in_job(wishes.ranks or lanes or MOST_RANKS, wishes.hosts,
                                  wishes.threads, answers)
    ranks = sum(slots.values())
    if wishes.ranks and ranks < wishes.ranks:
        raise no_room(wishes.ranks, ranks, threads, job.job)
    return slots, threads


def prepare_hosts_left(lanes: int | None, wishes: Wishes, needs: Needs) -> Placement:
    """As prepare_hosts(), without the hosts that are no longer reached."""
    answers, lines = ask_all(wishes.hosts, needs)
    left = [host for host in wishes.hosts if host.name in answers]
    if not left:
        raise LauncherError("\nlockstep: ".join(lines), EXIT_USAGE)
    for line in lines:
        say(f"lockstep: {line}; going on without it")
    return prepare_hosts(lanes, replace(wishes, hosts=left), needs)


def ask_all(hosts: list[Host], needs: Needs) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The answers by host, and a line for each that gave none."""
    answers: dict[str, dict[str, Any]] = {}
    lines = []
    with ThreadPoolExecutor(max_workers=min(len(hosts), 64)) as pool:
        asked = {host.name: pool.submit(ask_host, host.name, needs) for host in hosts}
        for name, future in asked.items():
            try:
                answers[name] = future.result()
            except Unreachable as error:
                way = shlex.join([*agent(), name, "python3", "--version"])
                lines.append(f"{name}: not reached: {error}; this must work: {way}")
    return answers, lines
