"""The run folders of a sweep: how each run ended, and its best epoch so far."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from run_files import METRICS_FILE, OUTCOME_FILE, OUTPUT_FILE
from running import LAST_LINES

START_MARK = "--- sweep: start"  # a line of the output before each start
LAST_BYTES = 16384  # of the output, in which the last message stands
EXIT_DIVERGED, EXIT_PEER, EXIT_RESTART = 3, 4, 75


@dataclass(frozen=True)
class Outcome:
    """What became of a run: waiting, running, done, saved, diverged, failed, stopped."""

    state: str = "waiting"
    exit_code: int = EXIT_RESTART  # that the sweep would end with
    cause: str = ""  # one line, for a run that failed
    seconds: float = 0  # over all its starts


def read_outcome(run_dir: Path) -> Outcome:
    """Of a run that has not begun: waiting."""
    try:
        return Outcome(**json.loads((run_dir / OUTCOME_FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return Outcome()


def write_outcome(run_dir: Path, outcome: Outcome) -> None:
    """Replaces the file as a whole."""
    partial = run_dir / f".{OUTCOME_FILE}.partial"
    partial.write_text(json.dumps(asdict(outcome)) + "\n")
    os.replace(partial, run_dir / OUTCOME_FILE)


def judge(status: int, asked: bool, run_dir: Path, seconds: float) -> Outcome:
    """The outcome of a process that ended with `status`, below 0 by a signal; `asked`:
    it was told to end."""
    killed_by = -status if status < 0 else status - 128
    if status == 0 and not has_output(run_dir):
        # Whoever told it to end: mpirun had no ranks yet, and nothing was trained.
        return Outcome("stopped", EXIT_RESTART, "", seconds)
    if status == 0:
        return Outcome("done", 0, "", seconds)
    if status == EXIT_RESTART:
        return Outcome("saved", status, "", seconds)
    if killed_by > 0 and asked:
        return Outcome("stopped", EXIT_RESTART, "", seconds)
    if killed_by > 0:
        return Outcome("failed", EXIT_PEER, f"killed by signal {killed_by}", seconds)
    state = "diverged" if status == EXIT_DIVERGED else "failed"
    cause = last_error(run_dir) or f"exit code {status}"
    return Outcome(state, status, cause, seconds)


def has_output(run_dir: Path) -> bool:
    """Whether the program has written something since the last start of a run."""
    return any(not line.startswith("mpirun: ") for line in _last_lines_of(run_dir))


def has_last_lines(run_dir: Path) -> bool:
    """Whether a training has said since its last start that it has ended."""
    return any(line.encode().startswith(LAST_LINES) for line in _last_lines_of(run_dir))


def last_error(run_dir: Path) -> str:
    """The program's last message since the last start of a run; empty without one."""
    for line in reversed(_last_lines_of(run_dir)):
        if line.startswith("lockstep: "):
            return line.removeprefix("lockstep: ")
    return ""


def _last_lines_of(run_dir: Path) -> list[str]:
    """The end of the output since the last start of a run."""
    try:
        with (run_dir / OUTPUT_FILE).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LAST_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    starts = [number for number, line in enumerate(lines) if line.startswith(START_MARK)]
    return lines[starts[-1] + 1 :] if starts else lines


def best_value(run_dir: Path, monitor: str) -> float | None:
    """The best value of a metric over the epochs so far: the largest, of a loss the
    smallest; None without one."""
    values = [line.get(monitor) for line in _epochs(run_dir)]
    known = [value for value in values if isinstance(value, float | int) and math.isfinite(value)]
    if not known:
        return None
    return min(known) if monitor.endswith("loss") else max(known)


def _epochs(run_dir: Path) -> list[dict[str, Any]]:
    try:
        lines = (run_dir / METRICS_FILE).read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            pass  # a line that is being written
    return [line for line in found if line.get("kind") == "epoch"]


def epochs_done(run_dir: Path) -> int:
    """The epochs that a run has come through so far."""
    return len(_epochs(run_dir))
