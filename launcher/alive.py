"""Which runs live, and which process is a run's: a number in a file proves neither."""

from __future__ import annotations

import contextlib
import enum
import fcntl
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from run_files import CANCELLED, FIRST_LOG, LOCK_FILE, METRICS_FILE, WATCH_FILE

# What rank 0 keeps open as long as it trains.
OPEN_FILES = (LOCK_FILE, METRICS_FILE, FIRST_LOG)


class Life(enum.Enum):
    """Of the process of rank 0."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"  # on another host


def life_of(run_dir: Path, status: dict[str, Any]) -> Life:
    """Whether a training holds a run folder: who lives holds its lock."""
    held = lock_is_held(run_dir / LOCK_FILE)
    if held:
        return Life.ALIVE
    if status.get("host") not in (None, os.uname().nodename):
        return Life.UNKNOWN  # locks may be of one host alone
    if held is False:
        return Life.DEAD
    # No lock file, or a file system without locks.
    process = process_of(run_dir, status)
    if process is None:
        return Life.DEAD
    process.close()
    return Life.ALIVE


def lock_is_held(path: Path) -> bool | None:
    """Whether a process of this host holds a file; None where it cannot be told."""
    try:
        # A lock may be a pipe or a link in a folder from elsewhere.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(file)
    return False


# --- Launchers that may start a run again ---


@contextlib.contextmanager
def watching(run_dir: Path) -> Iterator[None]:
    """Says meanwhile that this launcher looks for the mark of `cancel` in a run folder; takes
    the mark away before and afterwards."""
    path, is_new = run_dir / WATCH_FILE, not run_dir.exists()
    with contextlib.ExitStack() as stack:
        if not lock_is_held(path):  # or the program refuses the folder that another trains in
            with contextlib.suppress(OSError):  # the program says what is wrong with the folder
                run_dir.mkdir(parents=True, exist_ok=True)
                (run_dir / CANCELLED).unlink(missing_ok=True)
                file = stack.enter_context(path.open("w"))
                stack.callback(_end_watching, run_dir, is_new)
                print(os.uname().nodename, file=file, flush=True)
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _end_watching(run_dir: Path, is_new: bool) -> None:
    with contextlib.suppress(OSError):
        for name in (WATCH_FILE, CANCELLED):
            (run_dir / name).unlink(missing_ok=True)
        if is_new:
            run_dir.rmdir()  # which only takes away one that the program has not used


def is_watched(run_dir: Path) -> bool:
    """Whether a launcher looks for the mark in a run folder: one with restarts, or a sweep."""
    if lock_is_held(run_dir.parent / LOCK_FILE):
        return True
    path = run_dir / WATCH_FILE
    try:
        host = path.read_text(errors="replace").strip()
    except OSError:
        return False
    return host != os.uname().nodename or lock_is_held(path) is not False


# --- Processes ---


class Process:
    """A process that cannot become another one, whatever its number does."""

    def __init__(self, number: int) -> None:
        """Raises OSError where there is no such process."""
        self.number = number
        self._file = os.pidfd_open(number)

    def send(self, number: signal.Signals) -> None:
        """Raises ProcessLookupError once it has ended."""
        signal.pidfd_send_signal(self._file, number)

    def close(self) -> None:
        """Forgets it."""
        os.close(self._file)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


def process_of(run_dir: Path, status: dict[str, Any]) -> Process | None:
    """The process on this host that trains in a run folder: one of those that the files there
    name, if it has a file of the folder open."""
    for number in _named(run_dir, status):
        try:
            process = Process(number)
        except OSError:
            continue
        if _has_open(number, run_dir):
            return process
        process.close()
    return None


def _named(run_dir: Path, status: dict[str, Any]) -> list[int]:
    named = [status.get("pid")]
    try:
        with (run_dir / LOCK_FILE).open("rb") as file:
            named += map(int, re.findall(rb"process (\d{1,9})\b", file.read(4096)))
    except (OSError, ValueError):
        pass
    return [number for number in named
            if isinstance(number, int) and not isinstance(number, bool) and 1 < number < 1 << 31]


def _has_open(number: int, run_dir: Path) -> bool:
    ours = set()
    for name in OPEN_FILES:
        try:
            found = (run_dir / name).stat()
        except OSError:
            continue
        ours.add((found.st_dev, found.st_ino))
    try:
        for entry in os.scandir(f"/proc/{number}/fd"):
            try:
                found = entry.stat()
            except OSError:
                continue
            if (found.st_dev, found.st_ino) in ours:
                return True
    except OSError:
        pass
    return False
