"""The command sweep: trains an experiment once for each combination of settings."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from build import Project
from console import LauncherError, say
from job import command_line, environment, lanes_of, name_of, this_machine
from sweep_plan import EXPERIMENT_FILE, PLAN_FILE, Plan, PlannedRun, check_same, load_plan
from sweep_plan import make_plan, save_plan
from sweep_pool import Packing, Pool, cpu_lists, pack
from sweep_runs import EXIT_RESTART, read_outcome
from sweep_values import EXIT_USAGE, parse_setting

SUMMARY = "trains an experiment once for each combination of settings"
EPILOG = """\
values of --set:
  PATH=1e-3,3e-3       a list; each value is a run
  PATH=1:5, 1:9:2      whole numbers with both ends, in steps
  PATH="a,b","c,d"     commas within quotes or brackets do not separate values
  PATH=VALUE           the same in every run
  with --samples also PATH=log(1e-4,1e-2) and PATH=uniform(0,0.5)

The first Ctrl-C, TERM or HUP lets every run save, and the sweep ends with exit code 75; the
same command with its --run-dir, or sweep --resume DIR, goes on: runs that are done are not
repeated. Exit code 0 means that all runs are done.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        raise LauncherError(f"sweep: {message} (see sweep --help)", EXIT_USAGE)


def parser() -> argparse.ArgumentParser:
    """Of the words after `sweep`."""
    made = _Parser(prog="lockstep sweep", description=f"Sweep: {SUMMARY}.", epilog=EPILOG,
                   formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    made.add_argument("experiment", nargs="?", metavar="EXPERIMENT", help="file (.textproto)")
    made.add_argument("--set", action="append", default=[], dest="settings", metavar="PATH=VALUES",
                      help="a field and its values; may be repeated")
    made.add_argument("--samples", type=_count, default=0, metavar="N",
                      help="draw N combinations at random instead of all")
    made.add_argument("--sample-seed", type=int, default=1, metavar="SEED",
                      help="of the draws (default 1)")
    made.add_argument("--jobs", type=_count, metavar="J",
                      help="runs side by side; by default one a core")
    made.add_argument("-np", type=_count, dest="ranks", metavar="N", help="ranks of each run (1)")
    made.add_argument("--threads", type=_count, metavar="T",
                      help="threads of each rank; by default the cores shared by the runs")
    made.add_argument("--run-dir", metavar="DIR",
                      help="the sweep's folder; default models/<name>-sweep/<UTC time>")
    made.add_argument("--resume", metavar="DIR", help="go on with the sweep of a folder")
    made.add_argument("--task", type=int, metavar="N",
                      help="with --resume: run number N alone, as a job of an array does")
    made.add_argument("--dry-run", action="store_true", help="check and list the runs, and end")
    made.add_argument("--print-command", action="store_true",
                      help="print the command line of each run, and end")
    return made


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 4096:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 1 to 4096")
    return int(text)


def run_sweep(project: Project, arguments: list[str]) -> int:
    """Runs the command; returns the exit status."""
    options = parser().parse_args(arguments)
    _check_usage(options)
    folder, plan, experiment = _planned(project.root, options)
    machine = this_machine()
    runs = plan.runs if options.task is None else [plan.runs[options.task]]
    lanes = lanes_of([experiment, *plan.runs[0].overrides])
    packing = pack(len(runs), lanes, machine, options.jobs, (options.ranks, options.threads))

    def words(run: PlannedRun) -> list[str]:
        overrides = [word for text in run.overrides for word in ("--set", text)]
        run_words = [str(folder / EXPERIMENT_FILE), *overrides,
                     "--run-dir", str(folder / run.folder), "--resume", "auto"]
        return command_line(project.binary, "train", run_words, packing.shape, machine)

    if options.print_command:
        print("\n".join(shlex.join(words(run)) for run in runs))
        return 0
    # A job of an array finds the program where the sweep was planned.
    if options.task is None or not project.binary.exists():
        project.prepare()
    env = environment(project.root, machine)
    if not (folder / PLAN_FILE).exists():
        plan = check_runs(project.binary, experiment, plan, env, machine.cores)
    if options.dry_run:
        print("\n".join(f"{run.folder}  {'  '.join(_pairs(plan, run))}" for run in runs))
        return 0
    if not (folder / PLAN_FILE).exists():
        save_plan(plan, Path(experiment).read_bytes(), folder)
    with _locked(folder, exclusive=options.task is None):
        return _run(project, folder, plan, runs, packing, words, env)


def _check_usage(options: argparse.Namespace) -> None:
    if options.resume and (options.experiment or options.settings or options.run_dir
                           or options.samples):
        raise LauncherError("--resume takes experiment and settings from the folder; expected "
                            "no EXPERIMENT, --set, --samples or --run-dir beside it", EXIT_USAGE)
    if not options.resume and not options.experiment:
        raise LauncherError("sweep needs an EXPERIMENT file, or --resume DIR (see sweep --help)",
                            EXIT_USAGE)
    if options.task is not None and not options.resume:
        raise LauncherError("--task needs --resume DIR", EXIT_USAGE)


def _planned(root: Path, options: argparse.Namespace) -> tuple[Path, Plan, str]:
    """The sweep's folder, its plan, and the experiment's file to read now."""
    if options.resume:
        folder = Path(options.resume).resolve()
        plan = load_plan(folder)
        if options.task is not None and not 0 <= options.task < len(plan.runs):
            raise LauncherError(f"--task is {options.task}: expected 0 to {len(plan.runs) - 1}",
                                EXIT_USAGE)
        return folder, plan, str(folder / EXPERIMENT_FILE)
    try:
        content = Path(options.experiment).read_bytes()
    except OSError as error:
        raise LauncherError(f"{options.experiment}: cannot be read: {error.strerror}",
                            EXIT_USAGE) from None
    settings = [parse_setting(text) for text in options.settings]
    name = name_of([options.experiment, *(f"{each.path}={each.text}" for each in settings)])
    plan = make_plan(name, settings, options.samples, options.sample_seed)
    if not options.run_dir:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        folder = root / "models" / f"{name}-sweep" / stamp
    else:
        folder = Path(options.run_dir).resolve()
    if (folder / PLAN_FILE).exists():
        return folder, check_same(plan, content, folder), str(folder / EXPERIMENT_FILE)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LauncherError(f"{folder}: no sweep; expected a new folder, an empty one, or one "
                            f"with {PLAN_FILE}", EXIT_USAGE)
    return folder, plan, options.experiment


def check_runs(
    binary: Path, experiment: str, plan: Plan, env: dict[str, str], cores: int
) -> Plan:
    """Lets the program check every combination before any runs; returns the plan with the
    metric that the runs are ranked by."""

    def check(run: PlannedRun) -> subprocess.CompletedProcess[str]:
        overrides = [word for text in run.overrides for word in ("--set", text)]
        return subprocess.run(
            [binary, "train", experiment, *overrides, "--print-config"], env=env, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
        )

    with ThreadPoolExecutor(cores) as checks:
        monitors = set()
        for run, done in zip(plan.runs, checks.map(check, plan.runs), strict=True):
            if done.returncode != 0:
                checks.shutdown(wait=False, cancel_futures=True)
                lines = done.stderr.strip().splitlines() or ["no message"]
                message = lines[-1].removeprefix("lockstep: ")
                raise LauncherError(f"run {run.folder} of {len(plan.runs)}: {message}",
                                    EXIT_USAGE)
            monitors.update(re.findall(r"best_checkpoint\s*\{[^}]*monitor:\s*(\w+)", done.stdout))
    return replace(plan, monitor="val_loss" if monitors == {"VAL_LOSS"} else "val_accuracy")


def _pairs(plan: Plan, run: PlannedRun) -> list[str]:
    return [f"{field}={value}" for field, value in zip(plan.fields, run.values, strict=True)]


@contextlib.contextmanager
def _locked(folder: Path, *, exclusive: bool) -> Iterator[None]:
    """Keeps a second sweep out of the folder; jobs of an array share it."""
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LauncherError(f"{folder}: another sweep runs in this folder", EXIT_USAGE) from None
        yield


def _run(
    project: Project, folder: Path, plan: Plan, runs: list[PlannedRun], packing: Packing,
    words: Callable[[PlannedRun], list[str]], env: dict[str, str],
) -> int:
    """Runs what is not done yet; lets the program rank the runs and write their page."""
    open_runs = [run for run in runs if read_outcome(folder / run.folder).state != "done"]
    done = len(runs) - len(open_runs)
    print(f"sweep of {len(plan.runs)} runs in {folder}"
          + (f", {done} done already" if done else "") + f"; {packing}", flush=True)
    pool = Pool(folder, plan.monitor, env)
    pool.run(open_runs, cpu_lists(packing), words)
    outcomes = [read_outcome(folder / run.folder) for run in runs]
    if len(runs) == len(plan.runs):
        report = [str(project.binary), "report", str(folder)]
        if subprocess.run(report, env=env, stdin=subprocess.DEVNULL, check=False).returncode:
            say("lockstep: the sweep's page could not be written; its runs are whole")
    codes = [outcome.exit_code for outcome in outcomes if outcome.exit_code]
    if len(pool.received) > 1:
        return 128 + pool.received[0]
    if EXIT_RESTART in codes:
        say(f"lockstep: saved; launcher/lockstep sweep --resume {folder} goes on")
        return EXIT_RESTART
    return codes[0] if codes else 0
