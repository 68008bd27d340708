"""A sweep as one array of Slurm jobs: a job for each run that is not done."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from console import EXIT_USAGE, LauncherError, say
from job import Shape
from paths import as_named
from run_files import SLURM_CANCELLED
from slurm import Request, batch_script, file_pattern, limit_seconds, submit
from sweep_plan import Plan
from sweep_runs import read_outcome


@dataclass(frozen=True)
class ArrayRequest:
    """What is asked of Slurm for each run of a sweep."""

    shape: Shape
    at_a_time: int | None = None
    time: str = ""
    partition: str = ""
    sbatch: list[list[str]] = field(default_factory=list)  # the words of other options

    def __post_init__(self) -> None:
        limit_seconds(self.time)  # ends with a line where that is no time


def array_script(launcher: Path, folder: Path, plan: Plan, request: ArrayRequest) -> str:
    """The batch script. A job's number in the array is that of its run; the script passes
    USR1 on and puts a job that was saved back into the queue."""
    slurm = _slurm_request(plan, request, _open_tasks(folder, plan))
    folder = Path(as_named(folder))
    words = [as_named(launcher), "sweep", "--resume", str(folder), "-np", str(request.shape.ranks),
             "--threads", str(request.shape.threads), "--task"]
    commands = f'words=({shlex.join(words)} "$SLURM_ARRAY_TASK_ID")'
    log = f"{file_pattern(folder)}/slurm-%a.log"
    if "\\" in log:  # with it sbatch takes no %a
        log = "/dev/null"
        commands = (f'exec >>{shlex.quote(str(folder))}/slurm-"$SLURM_ARRAY_TASK_ID".log 2>&1\n'
                    + commands)
    return batch_script(slurm, commands, log, shlex.quote(str(folder / SLURM_CANCELLED)), {})


def submit_array(launcher: Path, folder: Path, plan: Plan, request: ArrayRequest) -> int:
    """Writes the script into the sweep's folder and submits it."""
    script = array_script(launcher, folder, plan, request)
    tasks = _open_tasks(folder, plan)
    job = submit(script, folder, _slurm_request(plan, request, tasks))
    say(f"job {job}, an array of {len(tasks)} runs, in {folder}; launcher/lockstep report "
        f"{folder} shows how they stand")
    return 0


def _open_tasks(folder: Path, plan: Plan) -> list[int]:
    tasks = [number for number, run in enumerate(plan.runs)
             if read_outcome(folder / run.folder).state != "done"]
    if not tasks:
        raise LauncherError(f"{folder}: all {len(plan.runs)} runs are done", EXIT_USAGE)
    return tasks


def _slurm_request(plan: Plan, request: ArrayRequest, tasks: list[int]) -> Request:
    array = ",".join(map(str, tasks))
    if len(tasks) == tasks[-1] - tasks[0] + 1:
        array = f"{tasks[0]}-{tasks[-1]}"
    if request.at_a_time:
        array += f"%{request.at_a_time}"
    return Request(
        ranks_per_node=request.shape.ranks, threads=request.shape.threads, time=request.time,
        partition=request.partition, job_name=f"{plan.name}-sweep",
        sbatch=[[f"--array={array}"], *request.sbatch],
    )
