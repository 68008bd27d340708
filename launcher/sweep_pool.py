"""Runs the runs of a sweep side by side, each on cores of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from job import Machine, Shape, available_cores, environment_alone
from message_folder import VARIABLE, MessageFolder, message_folder
from run_files import CANCELLED, OUTPUT_FILE
from running import SECONDS_BETWEEN_SIGNALS, SECONDS_TO_END
from stop_requests import StopRequests, on_signals
from sweep_plan import PlannedRun
from sweep_runs import START_MARK, Outcome, best_value, epochs_done, has_last_lines, judge
from sweep_runs import read_outcome, write_outcome

POLL_SECONDS = 0.1
LIVE_SECONDS = 1.0


@dataclass(frozen=True)
class Packing:
    """How many runs go side by side, and the shape of each."""

    jobs: int
    shape: Shape

    def __str__(self) -> str:
        ranks, threads = self.shape.ranks, self.shape.threads
        return (f"{self.jobs} at a time, {ranks} rank{'s' * (ranks > 1)} of "
                f"{threads} thread{'s' * (threads > 1)} each")


def pack(
    runs: int, lanes: int, machine: Machine, jobs: int | None, shape: tuple[int | None, int | None]
) -> Packing:
    """As many runs at a time as there are cores for them: one core each, unless the user
    says otherwise or there are more cores than runs."""
    ranks, threads = shape[0] or 1, shape[1]
    jobs = min(runs, jobs or max(1, machine.cores // (ranks * (threads or 1))))
    most = -(-lanes // ranks)  # more threads have no lanes to compute
    threads = threads or max(1, min(machine.cores // (jobs * ranks), most))
    return Packing(jobs, Shape(ranks, threads))


def cpu_lists(packing: Packing) -> list[str]:
    """The CPUs of each place, as taskset wants them; empty texts where runs cannot have
    CPUs of their own."""
    cpus = sorted(os.sched_getaffinity(0))
    each = packing.shape.ranks * packing.shape.threads
    # With a quota others may use the same CPUs: it is not for us to choose.
    if available_cores() < len(cpus) or packing.jobs * each > len(cpus):
        return [""] * packing.jobs
    return [",".join(map(str, cpus[place * each : (place + 1) * each]))
            for place in range(packing.jobs)]


@dataclass
class _Job:
    run: PlannedRun
    place: int
    process: subprocess.Popen[bytes]
    messages: MessageFolder | None
    start: float
    seconds_before: float


class Pool:
    """Runs to their end what has not been done, and passes signals on to all that run."""

    def __init__(self, folder: Path, monitor: str, env: dict[str, str]) -> None:
        self.requests = StopRequests()
        self._folder = folder
        self._monitor = monitor
        self._env = env
        self._jobs: list[_Job] = []
        self._ended = 0
        self._asked_at = self._passed_at = 0.0
        self._live = sys.stderr.isatty()
        self._shown_at = self._start = time.monotonic()

    def run(
        self, runs: list[PlannedRun], places: list[str], words: Callable[[PlannedRun], list[str]]
    ) -> None:
        """Returns when all have ended, or at a signal those that ran; `words` starts a
        run, `places` are lists of CPUs. The outcomes stand in the run folders."""
        on_signals(self._forward)
        waiting, free = list(runs), list(range(len(places)))
        while self._jobs or (waiting and not self.requests):
            while waiting and free and not self.requests:
                place, run = free.pop(0), waiting.pop(0)
                self._begin(run, place, places[place], words(run))
            time.sleep(POLL_SECONDS)
            if self.requests and time.monotonic() - self._passed_at > SECONDS_BETWEEN_SIGNALS:
                self._pass_on()
            self._pass_on_cancelling()
            for job in [job for job in self._jobs if job.process.poll() is not None]:
                self._jobs.remove(job)
                free.append(job.place)
                self._end(job, len(runs))
            self._show_live(len(runs))
        self._clear_live()

    def _begin(self, run: PlannedRun, place: int, cpus: str, words: list[str]) -> None:
        run_dir = self._folder / run.folder
        run_dir.mkdir(exist_ok=True)
        (run_dir / CANCELLED).unlink(missing_ok=True)
        before = read_outcome(run_dir).seconds
        write_outcome(run_dir, Outcome("running", seconds=before))
        messages = message_folder(words, self._env)
        env = self._env if words[0] == "mpirun" else environment_alone(self._env)
        env = env | ({VARIABLE: messages.path} if messages else {})
        if cpus:
            words = ["taskset", "-c", cpus, *words]
        if setpriv := shutil.which("setpriv"):  # runs must not outlive the sweep
            words = [setpriv, "--pdeathsig", "TERM", "--", *words]
        with (run_dir / OUTPUT_FILE).open("ab") as output:
            output.write(f"{START_MARK}, {' '.join(run.overrides)}\n".encode())
            output.flush()
            process = subprocess.Popen(
                words, env=env, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )
        self._jobs.append(_Job(run, place, process, messages, time.monotonic(), before))
        if self.requests:  # while the process was being started
            process.send_signal(signal.SIGUSR1)

    def _end(self, job: _Job, count: int) -> None:
        if job.messages:
            job.messages.close()
        run_dir = self._folder / job.run.folder
        seconds = time.monotonic() - job.start
        asked = bool(self.requests) or (run_dir / CANCELLED).exists()
        (run_dir / CANCELLED).unlink(missing_ok=True)
        outcome = judge(job.process.returncode, asked, run_dir, seconds)
        write_outcome(run_dir, replace(outcome, seconds=seconds + job.seconds_before))
        self._ended += 1
        best = best_value(run_dir, self._monitor)
        value = "" if best is None else f"best {self._monitor} {best:.4f}  "
        self._clear_live()
        cause = f": {outcome.cause}" if outcome.cause else ""
        print(f"{self._ended:3} of {count}  run {job.run.folder}  {outcome.state:8}  {value}"
              f"{clock(seconds)}  {'  '.join(job.run.values)}{cause}", flush=True)

    def _forward(self, number: int, _: object) -> None:
        if self.requests.take(number):
            self._asked_at = time.monotonic()
            self._pass_on()

    def _pass_on(self) -> None:
        # mpirun loses what comes before it has ranks, so it is sent again.
        self._passed_at = time.monotonic()
        is_deaf = self._passed_at - self._asked_at > SECONDS_TO_END
        for job in self._jobs:
            if not self.requests.must_stop:
                self._ask_to_save(job)
                continue
            with_mpirun = "mpirun" in job.process.args and not is_deaf
            job.process.send_signal(signal.SIGTERM if with_mpirun else signal.SIGKILL)

    def _pass_on_cancelling(self) -> None:
        """Lets those runs save in whose folder `cancel` has left its mark."""
        if self.requests or time.monotonic() - self._passed_at < SECONDS_BETWEEN_SIGNALS:
            return
        self._passed_at = time.monotonic()
        for job in self._jobs:
            if (self._folder / job.run.folder / CANCELLED).exists():
                self._ask_to_save(job)

    def _ask_to_save(self, job: _Job) -> None:
        # After its last lines mpirun may be about to end, and no longer take a signal.
        if not has_last_lines(self._folder / job.run.folder):
            job.process.send_signal(signal.SIGUSR1)

    def _show_live(self, count: int) -> None:
        if not self._live or time.monotonic() - self._shown_at < LIVE_SECONDS:
            return
        self._shown_at = time.monotonic()
        parts = [f"{self._ended} of {count} ended, {clock(self._shown_at - self._start)}"]
        for job in self._jobs:
            run_dir = self._folder / job.run.folder
            best = best_value(run_dir, self._monitor)
            value = "" if best is None else f" {best:.4f}"
            parts.append(f"{job.run.folder}: {epochs_done(run_dir)} epochs{value}")
        line = "; ".join(["saving" if self.requests else "", *parts][not self.requests :])
        width = shutil.get_terminal_size().columns - 1
        print(f"\r\x1b[K{line[:width]}", end="", file=sys.stderr, flush=True)

    def _clear_live(self) -> None:
        if self._live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    """1:05 or 2:03:09."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
