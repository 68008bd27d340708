"""The plan of a sweep: its runs, kept as sweep.json in the sweep's folder."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from console import EXIT_USAGE, LauncherError
from run_files import EXPERIMENT_FILE
from sweep_values import Setting, check_settings, grid, samples

PLAN_FILE = "sweep.json"


@dataclass(frozen=True)
class PlannedRun:
    """One run: its folder within the sweep's, and the fields that it sets."""

    folder: str
    overrides: list[str]
    values: list[str]  # of the swept fields


@dataclass(frozen=True)
class Plan:
    """All that decides the runs of a sweep, beside the experiment's file."""

    name: str
    settings: list[str]  # as given with --set
    samples: int  # 0: every combination
    sample_seed: int
    fields: list[str]  # the swept ones
    monitor: str  # val_accuracy or val_loss
    runs: list[PlannedRun]


def make_plan(
    name: str, settings: list[Setting], count: int, seed: int, monitor: str = "val_accuracy"
) -> Plan:
    """Every combination, or `count` of them drawn at random."""
    check_settings(settings)
    runs = []
    for number, values in enumerate(samples(settings, count, seed) if count else grid(settings)):
        pairs = list(zip(settings, values, strict=True))
        runs.append(PlannedRun(
            f"{number:03}", [f"{setting.path}={value}" for setting, value in pairs],
            [value for setting, value in pairs if setting.swept],
        ))
    given = [f"{setting.path}={setting.text}" for setting in settings]
    fields = [setting.path for setting in settings if setting.swept]
    return Plan(name, given, count, seed if count else 0, fields, monitor, runs)


def save_plan(plan: Plan, experiment: bytes, folder: Path) -> None:
    """Writes the plan, last, and a copy of the experiment's file."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / EXPERIMENT_FILE, experiment)
        _write(folder / PLAN_FILE, (json.dumps(asdict(plan), indent=1) + "\n").encode())
    except OSError as error:
        raise LauncherError(f"{folder}: the sweep cannot be written: {error}") from None


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def load_plan(folder: Path) -> Plan:
    """The plan of a sweep's folder."""
    path = folder / PLAN_FILE
    try:
        fields = json.loads(path.read_text())
        runs = [PlannedRun(**run) for run in fields.pop("runs")]
        return Plan(**fields, runs=runs)
    except FileNotFoundError:
        raise LauncherError(
            f"{folder}: no sweep; expected a folder with {PLAN_FILE}", EXIT_USAGE
        ) from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise LauncherError(f"{path}: cannot be read: {error}", EXIT_USAGE) from None


def check_same(plan: Plan, experiment: bytes, folder: Path) -> Plan:
    """The plan of the folder, which must be the given one; names what differs."""
    old = load_plan(folder)
    if (folder / EXPERIMENT_FILE).read_bytes() != experiment:
        raise _other(folder, f"the experiment's file differs from {EXPERIMENT_FILE} there")
    before, now = _by_path(old), _by_path(plan)
    for path in [*before, *now]:
        if before.get(path) != now.get(path):
            was, is_now = before.get(path, "not set"), now.get(path, "not set")
            raise _other(folder, f"{path} was {was} and is {is_now}")
    for option, was, is_now in (("--samples", old.samples, plan.samples),
                                ("--sample-seed", old.sample_seed, plan.sample_seed)):
        if was != is_now:
            raise _other(folder, f"{option} was {was} and is {is_now}")
    if [run.overrides for run in old.runs] != [run.overrides for run in plan.runs]:
        raise _other(folder, "the order of --set differs")
    return old


def _by_path(plan: Plan) -> dict[str, str]:
    return dict(text.split("=", 1) for text in plan.settings)


def _other(folder: Path, difference: str) -> LauncherError:
    return LauncherError(
        f"{folder} holds another sweep: {difference}; give another --run-dir", EXIT_USAGE
    )
