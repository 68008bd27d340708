"""The command sweep: trains an experiment once for each combination of settings."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from build import Project
from console import EXIT_USAGE, LauncherError, say
from experiment import Experiment, ask
from job import Shape, command_line, environment, environment_alone, models_folder
from job import this_machine
from run_files import EXPERIMENT_FILE
from slurm import need
from sweep_array import ArrayRequest, array_script, submit_array
from sweep_options import parse_options
from sweep_plan import PLAN_FILE, Plan, PlannedRun, check_same, load_plan
from sweep_plan import make_plan, save_plan
from sweep_pool import Packing, Pool, cpu_lists, pack
from sweep_runs import EXIT_RESTART, read_outcome
from sweep_values import parse_setting


def run_sweep(project: Project, arguments: list[str]) -> int:
    """Runs the command; returns the exit status."""
    options = parse_options(arguments)
    array = _array_request(options)
    machine = this_machine()
    env = environment(project.root, machine)
    if array and not (options.print_script or options.print_command or options.dry_run):
        need("sbatch")
    folder, plan, answers = _planned(project, options, env, machine.cores)
    runs = _chosen(plan, options.task)

    def packing() -> Packing:
        asked = runs if _sweeps_lanes(plan) else runs[:1]
        lanes = min(answer.lanes for answer in answers.of(asked))
        return pack(len(runs), lanes, machine, options.jobs, (options.ranks, options.threads))

    def words(run: PlannedRun, shape: Shape) -> list[str]:
        run_words = [str(folder / EXPERIMENT_FILE), *overrides_of(run),
                     "--run-dir", str(folder / run.folder), "--resume", "auto"]
        return command_line(project.binary, "train", run_words, shape, machine)

    if options.print_command:
        shape = packing().shape
        print("\n".join(shlex.join(words(run, shape)) for run in runs))
        return 0
    launcher = project.root / "launcher" / "lockstep"
    if array and options.print_script:
        print(array_script(launcher, folder, plan, array), end="")
        return 0
    if not (folder / PLAN_FILE).exists():
        plan = check_runs(plan, answers)
    if options.dry_run:
        print("\n".join(f"{run.folder}  {'  '.join(_pairs(plan, run))}" for run in runs))
        return 0
    if not (folder / PLAN_FILE).exists():
        save_plan(plan, Path(options.experiment).read_bytes(), folder)
    if array:
        return submit_array(launcher, folder, plan, array)
    with _locked(folder, exclusive=options.task is None):
        return _run(project, folder, plan, options.task, packing(), words, env)


def _sweeps_lanes(plan: Plan) -> bool:
    """Whether its runs may have different numbers of lanes."""
    return bool({"training", "training.lanes"} & set(plan.fields))


def _chosen(plan: Plan, task: int | None) -> list[PlannedRun]:
    return plan.runs if task is None else [plan.runs[task]]


def _array_request(options: argparse.Namespace) -> ArrayRequest | None:
    if not options.slurm:
        return None
    shape = Shape(options.ranks or 1, options.threads or 1)
    return ArrayRequest(shape, options.jobs, options.time, options.partition, options.sbatch)


def _planned(
    project: Project, options: argparse.Namespace, env: dict[str, str], cores: int
) -> tuple[Path, Plan, Answers]:
    """The sweep's folder, its plan, and who asks the program, which is there afterwards."""
    def answers(plan: Plan, experiment: str) -> Answers:
        return Answers(project.binary, experiment, len(plan.runs), env, cores)

    if options.resume:
        folder = Path(options.resume).resolve()
        plan = load_plan(folder)
        if options.task is not None and not 0 <= options.task < len(plan.runs):
            raise LauncherError(f"--task is {options.task}: expected 0 to {len(plan.runs) - 1}",
                                EXIT_USAGE)
        # A job of an array finds the program where the sweep was planned.
        if options.task is None or not project.binary.exists():
            project.prepare()
        return folder, plan, answers(plan, str(folder / EXPERIMENT_FILE))
    try:
        content = Path(options.experiment).read_bytes()
    except OSError as error:
        raise LauncherError(f"{options.experiment}: cannot be read: {error.strerror}",
                            EXIT_USAGE) from None
    settings = [parse_setting(text) for text in options.settings]
    plan = make_plan("", settings, options.samples, options.sample_seed)
    folder = Path(options.run_dir).resolve() if options.run_dir else None
    planned = folder and (folder / PLAN_FILE).exists()
    if folder and not planned and folder.exists() and (
            not folder.is_dir() or any(folder.iterdir())):
        raise LauncherError(f"{folder}: no sweep; expected a new folder, an empty one, or one "
                            f"with {PLAN_FILE}", EXIT_USAGE)
    project.prepare()
    if folder and planned:
        plan = check_same(plan, content, folder)
        return folder, plan, answers(plan, str(folder / EXPERIMENT_FILE))
    asker = answers(plan, options.experiment)
    name = asker.of(plan.runs[:1])[0].name
    if not folder:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        folder = models_folder(project.root) / f"{name}-sweep" / stamp
    return folder, replace(plan, name=name), asker


def check_runs(plan: Plan, answers: Answers) -> Plan:
    """Lets the program check every combination before any runs; returns the plan with the
    metric that the runs are ranked by."""
    metrics = {answer.metric for answer in answers.of(plan.runs)}
    return replace(plan, monitor="val_loss" if metrics == {"val_loss"} else "val_accuracy")


class Answers:
    """What the program says of the runs' experiments; each is asked for once."""

    def __init__(
        self, binary: Path, experiment: str, count: int, env: dict[str, str], cores: int
    ) -> None:
        self._binary = binary
        self._experiment = experiment
        self._count = count
        self._env = env
        self._cores = cores
        self._known: dict[str, Experiment] = {}

    def of(self, runs: list[PlannedRun]) -> list[Experiment]:
        """In the order of the runs; an error names the run."""
        unknown = [run for run in runs if run.folder not in self._known]
        with ThreadPoolExecutor(self._cores) as checks:
            asked = [(run, checks.submit(self._ask, run)) for run in unknown]
            try:
                self._known |= {run.folder: each.result() for run, each in asked}
            except BaseException:
                checks.shutdown(wait=False, cancel_futures=True)
                raise
        return [self._known[run.folder] for run in runs]

    def _ask(self, run: PlannedRun) -> Experiment:
        try:
            return ask(self._binary, [self._experiment, *overrides_of(run)], env=self._env)
        except LauncherError as error:
            raise LauncherError(f"run {run.folder} of {self._count}: {error}",
                                error.status) from None


def overrides_of(run: PlannedRun) -> list[str]:
    """The words that set a run's fields."""
    return [word for text in run.overrides for word in ("--set", text)]


def _pairs(plan: Plan, run: PlannedRun) -> list[str]:
    return [f"{field}={value}" for field, value in zip(plan.fields, run.values, strict=True)]


@contextlib.contextmanager
def _locked(folder: Path, *, exclusive: bool) -> Iterator[None]:
    """Keeps a second sweep out of the folder; jobs of an array share it."""
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LauncherError(f"{folder}: another sweep runs in this folder",
                                EXIT_USAGE) from None
        if exclusive:  # as the program's own, so that `cancel` finds this process
            lock.truncate(0)
            print(f"process {os.getpid()} on {os.uname().nodename}", file=lock, flush=True)
        yield


def _run(
    project: Project, folder: Path, plan: Plan, task: int | None, packing: Packing,
    words: Callable[[PlannedRun, Shape], list[str]], env: dict[str, str],
) -> int:
    """Runs what is not done yet; lets the program rank the runs and write their page."""
    runs = _chosen(plan, task)
    open_runs = [run for run in runs if read_outcome(folder / run.folder).state != "done"]
    done = len(runs) - len(open_runs)
    print(f"sweep of {len(plan.runs)} runs in {folder}"
          + (f", {done} done already" if done else "") + f"; {packing}", flush=True)
    pool = Pool(folder, plan.monitor, env)
    # A job of an array has the CPUs that Slurm gives it.
    places = cpu_lists(packing) if task is None else [""]
    pool.run(open_runs, places, lambda run: words(run, packing.shape))
    outcomes = [read_outcome(folder / run.folder) for run in runs]
    if task is None:
        report = [str(project.binary), "report", str(folder)]
        if subprocess.run(report, env=environment_alone(env), stdin=subprocess.DEVNULL,
                          check=False).returncode:
            say("lockstep: the sweep's page could not be written; its runs are whole")
    codes = [outcome.exit_code for outcome in outcomes if outcome.exit_code]
    if pool.requests.must_stop:
        return pool.requests.exit_status
    if EXIT_RESTART in codes:
        say(f"lockstep: saved; launcher/lockstep sweep --resume {folder} goes on")
        return EXIT_RESTART
    return codes[0] if codes else 0
