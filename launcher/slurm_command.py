"""launcher/lockstep slurm: reads its options, checks them, and submits the training."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from build import Project
from console import EXIT_USAGE, LauncherError, say
from experiment import ask
from job import environment, folders_in_environment, this_machine
from paths import as_named
from run_files import LOG_FILE, SLURM_CANCELLED
from running import plan_restarts, take_option
from slurm import Request, batch_script, file_pattern, limit_seconds, need
from slurm import sbatch_words, submit, train_commands


USAGE = """\
usage: lockstep slurm EXPERIMENT [options] [options of train]

Writes a batch script into the run folder and submits it. The training is told to save 180 s
before the time limit (a third of a short limit), goes back to the queue and goes on, on as
many nodes as it then gets.

  --nodes N or N-M      how many, or the least and the most; default 1
  --ranks-per-node R    default 1
  --threads T           worker threads, and so CPUs, of each rank; default 1
  --gpus-per-node G     a number, or a type and a number as a100:4; default none
  --time LIMIT          as for sbatch: 30, 2:00:00, 1-12, ...
  --partition NAME      default: the cluster's
  --job-name NAME       default: the experiment's
  --run-dir DIR         default: models/<name>/<UTC time>-<process>
  --srun                start the ranks by srun --mpi=pmix; default: mpirun
  --max-restarts N      after a rank or node was lost; default 10 (saving is not counted)
  --sbatch OPTION       any other option of sbatch, as --sbatch=--account=x or, quoted as for
                        a shell, --sbatch '-A x'; may be repeated
  --print               only show the script

Examples:
  lockstep slurm configs/digits.textproto --nodes 2 --ranks-per-node 2 --time 1:00:00
  lockstep slurm configs/digits.textproto --nodes 4 --threads 8 --partition fast --print
  lockstep status; lockstep logs models/digits/<run> --follow; lockstep cancel models/digits/<run>
"""

NUMBERS = ("--ranks-per-node", "--threads", "--max-restarts")
TEXTS = ("--nodes", "--gpus-per-node", "--time", "--partition", "--job-name")


def parse_request(arguments: list[str]) -> tuple[Request, list[str], bool]:
    """What is asked for, the arguments of the training, and whether to print only."""
    request = Request(srun="--srun" in arguments)
    print_only = "--print" in arguments
    rest = [word for word in arguments if word not in ("--srun", "--print")]
    for option in (*NUMBERS, *TEXTS):
        rest, value = take_option(rest, option)
        if not value:
            continue
        name = option.removeprefix("--").replace("-", "_")
        if option in TEXTS:
            setattr(request, name, value)
        elif value.isdecimal() and 0 <= int(value) <= 65536:
            setattr(request, name, int(value))
        else:
            raise LauncherError(f"{option} is {value!r}: expected a number", EXIT_USAGE)
    if not re.fullmatch(r"[1-9]\d{0,4}(-[1-9]\d{0,4})?", request.nodes):
        raise LauncherError(
            f"--nodes is {request.nodes!r}: expected a number, or the least and the most as in 1-4",
            EXIT_USAGE,
        )
    least, _, most = request.nodes.partition("-")
    if most and int(most) < int(least):
        raise LauncherError(
            f"--nodes is {request.nodes!r}: expected the least before the most", EXIT_USAGE)
    if request.gpus_per_node and not re.fullmatch(r"([\w.-]+:)?[1-9]\d{0,4}", request.gpus_per_node):
        raise LauncherError(
            f"--gpus-per-node is {request.gpus_per_node!r}: expected a number, or a type and a "
            "number as in a100:4", EXIT_USAGE)
    for option, value in (("--ranks-per-node", request.ranks_per_node),
                          ("--threads", request.threads)):
        if value < 1:
            raise LauncherError(f"{option} is 0: expected 1 or more", EXIT_USAGE)
    words = iter(rest)
    rest = []
    for word in words:
        if word == "--sbatch" or word.startswith("--sbatch="):
            value = word.partition("=")[2] if "=" in word else next(words, "")
            request.sbatch.append(sbatch_words(value))
        else:
            rest.append(word)
    return request, rest, print_only


def run_slurm(project: Project, arguments: list[str]) -> int:
    """Submits a training, or prints its script."""
    request, rest, print_only = parse_request(arguments)
    limit_seconds(request.time)
    if not print_only:
        need("sbatch")
    project.prepare()
    # A wrong experiment is not worth a place in the queue.
    experiment = ask(project.binary, rest, env=environment(project.root, this_machine()))
    request.job_name = request.job_name or experiment.name
    if request.most_ranks > (lanes := experiment.lanes):
        raise LauncherError(
            f"{request.nodes} nodes of {request.ranks_per_node} ranks are {request.most_ranks}, but "
            f"training.lanes is {lanes}, so at most {lanes} of them would have work; set "
            f"training.lanes={request.most_ranks} or ask for fewer",
            EXIT_USAGE,
        )
    plan = plan_restarts(rest, request.max_restarts, project.root, lambda: experiment.name)
    run_dir = Path(as_named(plan.run_dir))
    environment_of_job = {name: as_named(path) for name, path
                          in folders_in_environment(project.root).items()}
    if this_machine().is_root:
        environment_of_job |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    script = batch_script(request, train_commands(Path(as_named(project.binary)), plan, request),
                          file_pattern(run_dir / LOG_FILE),
                          shlex.quote(str(run_dir / SLURM_CANCELLED)), environment_of_job)
    if print_only:
        print(script, end="")
        return 0
    job = submit(script, run_dir, request)
    say(f"job {job} in {run_dir}; lockstep status, logs and cancel take that folder")
    return 0
