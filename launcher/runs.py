"""The runs of this project: what they are doing, their output, and how to end them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alive import Life, is_watched, life_of, process_of
from console import EXIT_USAGE, LauncherError, printable, say
from job import models_folder
from run_files import CANCELLED, FIRST_LOG, JOB_FILE, LOG_FILE, SLURM_CANCELLED, STATUS_FILE
from slurm import job_of, job_states
from sweep_plan import load_plan

CANCEL_SECONDS = 120  # to save and end
SECONDS_BETWEEN_QUESTIONS = 1.0  # to Slurm
WAYS_TO_CANCEL = {"PENDING": ["--state=PENDING"],
                  "RUNNING": ["--state=RUNNING", "--batch", "--signal=USR1"]}
LARGEST_STATUS = 1 << 20  # bytes; the program writes about 500


@dataclass(frozen=True)
class Run:
    """A run folder, what its status.json says, its Slurm job, if there is one, and whether a
    process trains in it. A sweep that is an array of Slurm jobs has runs of its own."""

    folder: Path
    status: dict[str, Any]
    job: str | None
    job_state: str
    life: Life
    runs: list[Run] = field(default_factory=list)

    @property
    def state(self) -> str:
        """The job's before it has begun or while it is between two starts, else the run's."""
        if self.runs and not self.job_state:
            counts = Counter(run.state for run in self.runs)
            return ", ".join(f"{count} {state}" for state, count in counts.items())
        state = printable(str(self.status.get("state", "new")))
        if self.alive and state != "running":
            state = "starting"
        elif state == "running" and self.life is Life.UNKNOWN and not self.alive:
            state = f"unknown, on {printable(str(self.status.get('host')))}"
        elif state == "running" and not self.alive:
            state = "killed"
        if self.job_state and not (self.alive and self.job_state.startswith("RUNNING")):
            return f"{state}, {self.job_state}" if self.status else self.job_state
        return state

    @property
    def alive(self) -> bool:
        """Whether a process trains here, as far as can be seen from this host."""
        if any(run.alive for run in self.runs):
            return True
        if self.life is not Life.UNKNOWN:
            return self.life is Life.ALIVE
        running = self.status.get("state") == "running"
        return running and bool(self.job) and self.job_state.startswith("RUNNING")

    @property
    def is_here(self) -> bool:
        """Whether this host is the one that the run was started on."""
        return self.status.get("host") in (None, os.uname().nodename)


def load_runs(folders: list[Path]) -> list[Run]:
    """With one question to Slurm for all of them."""
    jobs = {folder: _job_of(folder) for folder in folders}
    states = job_states([job for job in jobs.values() if job])

    def load(folder: Path, job: str | None) -> Run:
        status = _status_of(folder)
        runs = [load(each, f"{job}_{int(each.name)}") for each in _runs_of_sweep(folder)]
        return Run(folder, status, job, printable(states.get(job or "", "")),
                   life_of(folder, status), runs)

    return [load(folder, job) for folder, job in jobs.items()]


def _job_of(folder: Path) -> str | None:
    """The number of the last job of a run, of an array, or of one of its runs as 7_0."""
    parent = job_of(folder.parent)
    if parent and folder in _runs_of_sweep(folder.parent):
        return f"{parent}_{int(folder.name)}"
    return job_of(folder)


def _runs_of_sweep(folder: Path) -> list[Path]:
    """The run folders of a sweep; none of all else."""
    try:
        names = [str(run.folder) for run in load_plan(folder).runs]
    except (LauncherError, RecursionError):
        return []
    return [folder / name for name in names if re.fullmatch(r"[0-9]{1,9}", name)]


def _status_of(folder: Path) -> dict[str, Any]:
    """Empty where there is none that can be read: any file may lie there."""
    try:
        with (folder / STATUS_FILE).open("rb") as file:
            status = json.loads(file.read(LARGEST_STATUS))
    except (OSError, ValueError, RecursionError):
        return {}
    return status if isinstance(status, dict) else {}


def find_runs(root: Path) -> list[Path]:
    """The run folders below models/, the oldest first."""
    found = {path.parent for name in (STATUS_FILE, JOB_FILE)
             for path in models_folder(root).glob(f"*/*/{name}")}
    return sorted(found, key=lambda folder: folder.stat().st_mtime)


def run_folder(arguments: list[str], command: str) -> Path:
    """The one run folder that a command is given."""
    if len(arguments) != 1:
        raise LauncherError(f"{command} takes one run folder; got {len(arguments)}", EXIT_USAGE)
    folder = Path(arguments[0])
    if not (folder / STATUS_FILE).exists() and _job_of(folder) is None:
        raise LauncherError(f"{folder}: not a run folder: no {STATUS_FILE} there", EXIT_USAGE)
    return folder


# --- status ---


def show_status(root: Path, arguments: list[str]) -> int:
    """A line for each run, of those named or all below models/; for each of a sweep's where
    that is named."""
    folders = [run_folder([word], "status") for word in arguments] or find_runs(root)
    if not folders:
        say("no runs yet")
        return 0
    rows = [("run", "state", "epoch", "step", "best", "images/s", "left", "job")]
    for run in load_runs(folders):
        rows += [_row(each, root) for each in ([run, *run.runs] if arguments else [run])]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    return 0


def _row(run: Run, root: Path) -> tuple[str, ...]:
    folder = run.folder
    status = run.status
    models = models_folder(root)
    if folder.is_absolute() and folder.is_relative_to(models):
        folder = folder.relative_to(models)
    step = f"{_whole(status, 'step')}/{_whole(status, 'steps_total')}" if status else "-"
    best, speed, left = (_number(status, key)
                         for key in ("best", "images_per_second", "eta_seconds"))
    return (printable(str(folder)), run.state, _whole(status, "epoch"), step,
            "-" if best is None else f"{best:.6g}",
            "-" if speed is None or not run.alive else f"{speed:.0f}",
            "-" if left is None or not run.alive else _clock(left), printable(run.job or "-"))


def _number(status: dict[str, Any], key: str) -> float | None:
    """A number that can be shown; None for all else."""
    value = status.get(key)
    is_number = isinstance(value, float | int) and not isinstance(value, bool)
    return value if is_number and -1e15 < value < 1e15 else None


def _whole(status: dict[str, Any], key: str) -> str:
    value = _number(status, key)
    return "-" if value is None else f"{value:.0f}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


# --- logs ---


def show_logs(arguments: list[str]) -> int:
    """Prints the job's output, or rank 0's log where no job was submitted; of a run of an array
    both, and of the array itself the names of its jobs' outputs. --follow goes on with it."""
    follow = "--follow" in arguments
    folder = run_folder([word for word in arguments if word != "--follow"], "logs")
    if folder in _runs_of_sweep(folder.parent):
        logs = [folder.parent / f"slurm-{int(folder.name)}.log", folder / FIRST_LOG]
    else:
        logs = [folder / LOG_FILE, folder / FIRST_LOG]
    logs = [path for path in logs if path.exists()]
    if not logs:
        return _name_logs(folder)
    if folder / LOG_FILE in logs:
        logs = logs[:1]
    command = ["tail", "-n", "+1", *(["-F"] if follow else []), *map(str, logs)]
    return subprocess.run(command, check=False).returncode


def _name_logs(folder: Path) -> int:
    """Those of the jobs of an array."""
    numbers = [int(run.name) for run in _runs_of_sweep(folder)]
    names = [path for path in (folder / f"slurm-{number}.log" for number in numbers)
             if path.exists()]
    if not names:
        raise LauncherError(f"{folder}: no output yet")
    print("\n".join(printable(str(path)) for path in names))
    return 0


# --- cancel ---


def cancel(arguments: list[str]) -> int:
    """Lets a run save and end, in its Slurm job or on this host, and waits for it; all runs of
    a sweep that is, or was, an array of Slurm jobs."""
    folder = run_folder(arguments, "cancel")
    run = load_runs([folder])[0]
    if run.job and run.job_state:
        _cancel_job(run)
    elif run.life is Life.UNKNOWN and run.status.get("state") == "running" and not run.is_here:
        host = printable(str(run.status.get("host")))
        raise LauncherError(f"{folder}: it was started on {host}; cancel it there")
    elif run.alive:
        for each in _living(run):
            _forbid_restarts(each)
            _ask_to_save(each)
    else:
        if run.status.get("state") in ("running", "saved"):
            _forbid_restarts(run)  # it may be between two starts
        say(f"{folder}: not running ({run.state})")
        return 0
    end = time.monotonic() + CANCEL_SECONDS
    has_run = False
    while time.monotonic() < end:
        run = load_runs([folder])[0]
        if not run.alive and not run.job_state:
            for each in run.runs or [run]:
                _say_end(each)
                _forget(each)
            return 0
        is_running = run.status.get("state") == "running"
        has_run |= is_running
        time.sleep(SECONDS_BETWEEN_QUESTIONS if run.job_state else 0.3)
        if run.job_state and is_running == has_run:
            _ask_job(run)  # again: a job that has just begun does not hear
    raise LauncherError(f"{folder}: still {run.state} after {CANCEL_SECONDS} s")


def _say_end(run: Run) -> None:
    state = run.state if run.status else "cancelled"
    otherwise = "its job has ended" if run.status else "it had not begun"
    reason = printable(str(run.status.get("reason") or otherwise))
    say(f"{printable(str(run.folder))}: {state} ({reason})")


def _living(run: Run) -> list[Run]:
    """The run, or those of a sweep; but a sweep on this host lets its runs save itself."""
    is_sweep_here = run.life is Life.ALIVE
    return [run] if is_sweep_here or not run.runs else [each for each in run.runs if each.alive]


def _forbid_restarts(run: Run) -> None:
    """Leaves the mark for a launcher, which takes it away."""
    if is_watched(run.folder):
        _mark(run)


def _forget(run: Run) -> None:
    with contextlib.suppress(OSError):
        if not is_watched(run.folder):
            (run.folder / CANCELLED).unlink(missing_ok=True)


def _mark(run: Run) -> None:
    with contextlib.suppress(PermissionError):  # of another user, who is named below
        (run.folder / CANCELLED).touch()


def _ask_to_save(run: Run) -> None:
    """Only a process that has a file of this run folder open is one of the run."""
    if process := process_of(run.folder, run.status):
        with process:
            try:
                process.send(signal.SIGUSR1)
                return
            except ProcessLookupError:
                return  # it has just ended
            except PermissionError:
                raise LauncherError(f"{run.folder}: it runs as another user, who can cancel it"
                                    ) from None
    raise LauncherError(f"{run.folder}: a training holds it, but its process cannot be seen from "
                        "here (another host, container or user); cancel it there")


def _cancel_job(run: Run) -> None:
    """Those that wait are taken from the queue, those that run are told to save."""
    task = str(run.job).partition("_")[2]
    folder = run.folder.parent if task else run.folder
    (folder / (f"{SLURM_CANCELLED}.{task}" if task else SLURM_CANCELLED)).touch()
    is_known = any(state in run.job_state for state in WAYS_TO_CANCEL)
    if error := _ask_job(run) if is_known else _scancel([str(run.job)]):
        raise LauncherError(f"scancel: {error}")


def _ask_job(run: Run) -> str:
    """Gives the error of scancel's; it has one for a job that has just ended."""
    ways = dict(WAYS_TO_CANCEL)
    if "_" in str(run.job):
        # scancel tries for long to signal one job of an array; the sweep there sees the mark.
        ways.pop("RUNNING")
        if run.folder.is_dir():
            _mark(run)
    words = [way for state, way in ways.items() if state in run.job_state]
    return next(filter(None, [_scancel([*way, str(run.job)]) for way in words]), "")


def _scancel(words: list[str]) -> str:
    done = subprocess.run(["scancel", *words], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False)
    return "" if done.returncode == 0 else done.stderr.strip() or "failed"
