"""What the program says of an experiment: the launcher reads none itself."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from console import LauncherError
from job import environment_alone
from loader_faults import EXIT_NOT_STARTED, explain, loader_fault
from mpirun_messages import signal_name


@dataclass(frozen=True)
class Experiment:
    """The program's answer to --needs."""

    name: str  # a plain name of a folder
    lanes: int  # the most ranks that have work
    gpus: bool  # whether each rank must have one
    train: list[str]  # files, as the experiment names them
    validation: list[str]
    test: list[str]
    weights: list[str]  # to begin with
    metric: str  # val_accuracy or val_loss: of the best checkpoint


def ask(
    binary: Path, arguments: list[str], command: str = "train", env: dict[str, str] | None = None
) -> Experiment:
    """Of the experiment that the arguments of `train` or `bench` name, with its overrides;
    where they are wrong, a LauncherError with the program's own words and exit code."""
    # In a session of its own: at Ctrl-C the launcher itself ends, and says so.
    done = subprocess.run(
        [binary, command, *arguments, "--needs"], env=environment_alone(env or dict(os.environ)),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        start_new_session=True,
    )
    if done.returncode < 0:
        name = signal_name(-done.returncode)
        raise LauncherError(f"{binary} was killed by {name}", 128 - done.returncode)
    if done.returncode:
        if done.returncode == EXIT_NOT_STARTED:
            faults = [fault for line in done.stderr.splitlines() if (fault := loader_fault(line))]
            if faults:
                raise LauncherError(explain(faults[0], env or dict(os.environ)))
        lines = done.stderr.strip().splitlines() or [f"{binary} ended with {done.returncode}"]
        raise LauncherError(lines[-1].removeprefix("lockstep: "), done.returncode)
    try:
        return Experiment(**json.loads(done.stdout))
    except (ValueError, TypeError):
        raise LauncherError(f"{binary} gave no answer to --needs; build it anew") from None
