"""The runs of this project: what they are doing, their output, and how to end them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console import EXIT_USAGE, LauncherError, say
from job import models_folder
from slurm import CANCELLED, LOG_FILE, job_of, job_states

CANCEL_SECONDS = 120  # to save and end


@dataclass(frozen=True)
class Run:
    """A run folder, what its status.json says, and its Slurm job, if there is one."""

    folder: Path
    status: dict[str, Any]
    job: str | None
    job_state: str

    @property
    def state(self) -> str:
        """The job's before it has begun or while it is between two starts, else the run's."""
        state = str(self.status.get("state", "new"))
        if state == "running" and not self.alive:
            state = "killed"
        if self.job_state and not (self.alive and self.job_state.startswith("RUNNING")):
            return f"{state}, {self.job_state}" if self.status else self.job_state
        return state

    @property
    def alive(self) -> bool:
        """Whether the process of rank 0 is there, as far as can be seen from this host."""
        if self.status.get("state") != "running":
            return False
        if self.status.get("host") != os.uname().nodename:
            return not self.job or self.job_state.startswith("RUNNING")
        try:
            os.kill(int(self.status["pid"]), 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True


def load_runs(folders: list[Path]) -> list[Run]:
    """With one question to Slurm for all of them."""
    jobs = {folder: job_of(folder) for folder in folders}
    states = job_states([job for job in jobs.values() if job])
    return [Run(folder, _status_of(folder), job, states.get(job or "", ""))
            for folder, job in jobs.items()]


def _status_of(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / "status.json").read_text()))
    except (OSError, ValueError):
        return {}


def find_runs(root: Path) -> list[Path]:
    """The run folders below models/, the oldest first."""
    found = {path.parent for name in ("status.json", "slurm.json")
             for path in models_folder(root).glob(f"*/*/{name}")}
    return sorted(found, key=lambda folder: folder.stat().st_mtime)


def run_folder(arguments: list[str], command: str) -> Path:
    """The one run folder that a command is given."""
    if len(arguments) != 1:
        raise LauncherError(f"{command} takes one run folder; got {len(arguments)}", EXIT_USAGE)
    folder = Path(arguments[0])
    if not (folder / "status.json").exists() and job_of(folder) is None:
        raise LauncherError(f"{folder}: not a run folder: no status.json there", EXIT_USAGE)
    return folder


# --- status ---


def show_status(root: Path, arguments: list[str]) -> int:
    """A line for each run, of those named or all below models/."""
    folders = [run_folder([word], "status") for word in arguments] or find_runs(root)
    if not folders:
        say("no runs yet")
        return 0
    rows = [("run", "state", "epoch", "step", "best", "images/s", "left", "job")]
    rows += [_row(run, root) for run in load_runs(folders)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    return 0


def _row(run: Run, root: Path) -> tuple[str, ...]:
    folder = run.folder
    models = models_folder(root)
    if folder.is_absolute() and folder.is_relative_to(models):
        folder = folder.relative_to(models)
    status = run.status
    step = f"{status.get('step', 0)}/{status.get('steps_total', '?')}" if status else "-"
    best = status.get("best")
    speed = status.get("images_per_second") if run.alive else None
    left = status.get("eta_seconds") if run.alive else None
    return (str(folder), run.state, str(status.get("epoch", "-")), step,
            f"{best:.6g}" if isinstance(best, float | int) else "-",
            f"{speed:.0f}" if isinstance(speed, float | int) else "-",
            _clock(left) if isinstance(left, float | int) else "-", run.job or "-")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


# --- logs ---


def show_logs(arguments: list[str]) -> int:
    """Prints the job's output, or rank 0's log where no job was submitted; --follow goes
    on with it."""
    follow = "--follow" in arguments
    folder = run_folder([word for word in arguments if word != "--follow"], "logs")
    log = next((path for path in (folder / LOG_FILE, folder / "logs" / "rank-0.log")
                if path.exists()), None)
    if log is None:
        raise LauncherError(f"{folder}: no output yet")
    command = ["tail", "-n", "+1", *(["-F"] if follow else []), str(log)]
    return subprocess.run(command, check=False).returncode


# --- cancel ---


def cancel(arguments: list[str]) -> int:
    """Lets a run save and end, in its Slurm job or on this host, and waits for it."""
    folder = run_folder(arguments, "cancel")
    run = load_runs([folder])[0]
    usual_reason = "its jobs have ended" if "RUNNING" in run.job_state else "it had not begun"
    if run.job and run.job_state:
        _cancel_job(run)
    elif run.alive and run.status.get("host") == os.uname().nodename:
        os.kill(int(run.status["pid"]), signal.SIGUSR1)
    elif run.alive:
        raise LauncherError(f"{folder}: runs on {run.status.get('host')}; cancel it there")
    else:
        say(f"{folder}: not running ({run.state})")
        return 0
    end = time.monotonic() + CANCEL_SECONDS
    while time.monotonic() < end:
        run = load_runs([folder])[0]
        if not run.alive and not run.job_state:
            reason = run.status.get("reason") or usual_reason
            say(f"{folder}: {run.status.get('state', 'cancelled')} ({reason})")
            return 0
        time.sleep(0.3)
    raise LauncherError(f"{folder}: still {run.state} after {CANCEL_SECONDS} s")


def _cancel_job(run: Run) -> None:
    """Those that wait are taken from the queue, those that run are told to save."""
    (run.folder / CANCELLED).touch()
    ways = {"PENDING": ["--state=PENDING"],
            "RUNNING": ["--state=RUNNING", "--batch", "--signal=USR1"]}
    for how in [way for state, way in ways.items() if state in run.job_state] or [[]]:
        done = subprocess.run(["scancel", *how, str(run.job)], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise LauncherError(f"scancel: {done.stderr.strip() or 'failed'}")
