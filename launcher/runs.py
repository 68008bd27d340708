"""The runs of this project: what they are doing, their output, and how to end them."""

from __future__ import annotations

import fcntl
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
        state = _shown(self.status.get("state", "new"))
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
        if is_locked(self.folder):
            return True
        if self.status.get("host") == os.uname().nodename:
            return False
        return not self.job or self.job_state.startswith("RUNNING")  # its lock may be seen there only


def is_locked(folder: Path) -> bool:
    """Whether a job holds the lock of a run folder: a number in a file may be of another
    process by now."""
    try:
        lock = os.open(folder / "lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def ask_to_save(folder: Path, process: int) -> bool:
    """Sends USR1 to a process of this host that has the folder's lock open; whether it is one."""
    if process <= 1:
        return False
    try:
        descriptor = os.pidfd_open(process)  # from here on no other process can be meant
    except OSError:
        return False
    try:
        lock = os.stat(folder / "lock")
        files = [os.stat(path) for path in Path(f"/proc/{process}/fd").iterdir() if path.exists()]
        if not any(os.path.samestat(each, lock) for each in files):
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGUSR1)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def load_runs(folders: list[Path]) -> list[Run]:
    """With one question to Slurm for all of them."""
    jobs = {folder: job_of(folder) for folder in folders}
    states = job_states([job for job in jobs.values() if job])
    return [Run(folder, _status_of(folder), job, states.get(job or "", ""))
            for folder, job in jobs.items()]


def _status_of(folder: Path) -> dict[str, Any]:
    try:
        status = json.loads((folder / "status.json").read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return status if isinstance(status, dict) else {}


def _number(status: dict[str, Any], key: str) -> float | None:
    """What can be shown as a number; a file may hold anything."""
    value = status.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        return None
    return value


def _shown(value: object) -> str:
    """Without control characters, which would command the terminal."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in str(value))


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
    epoch, step, total = (_number(status, key) for key in ("epoch", "step", "steps_total"))
    best = _number(status, "best")
    speed = _number(status, "images_per_second") if run.alive else None
    left = _number(status, "eta_seconds") if run.alive else None
    return (_shown(folder), run.state, "-" if epoch is None else f"{epoch:.0f}",
            "-" if step is None else f"{step:.0f}/{'?' if total is None else f'{total:.0f}'}",
            "-" if best is None else f"{best:.6g}", "-" if speed is None else f"{speed:.0f}",
            "-" if left is None else _clock(left), _shown(run.job or "-"))


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
        if not ask_to_save(folder, int(_number(run.status, "pid") or 0)):
            raise LauncherError(f"{folder}: a job holds its lock, but status.json does not name its "
                                "process; end it where it was started")
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
            say(f"{folder}: {_shown(run.status.get('state', 'cancelled'))} ({_shown(reason)})")
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
