"""Runs the program, alone or under mpirun, and starts it again after a failure."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from console import LauncherError, say
from job import models_folder, name_of
from mpirun_messages import MpirunMessages, signal_name

EXIT_PEER = 4
EXIT_RESTART = 75
SHARED_MEMORY = "/dev/shm"
# mpirun waits for a host that is cut off, for minutes where it has something to tell it.
SECONDS_TO_END = 10
SECONDS_TO_ASK_AGAIN = 1
PEER_FAILED = re.compile(r"lockstep: (waited \d+ s in: |rank \d+ on \S+ died )")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


def run(words: list[str], env: dict[str, str]) -> int:
    """Runs the words to their end; returns the exit status for the launcher."""
    attempt = Supervisor(env).run(words)
    if attempt.killed:
        raise LauncherError(attempt.cause, EXIT_PEER)
    return attempt.status


# --- Restarts ---


@dataclass(frozen=True)
class RestartPlan:
    """A run folder, and the program's arguments to begin a training there and to go on."""

    most: int
    run_dir: Path
    first: list[str]
    again: list[str]


def plan_restarts(arguments: list[str], most: int, root: Path) -> RestartPlan:
    """Fixes the run folder of a training: the user's own, or one that is named here."""
    arguments, wanted = take_option(arguments, "--run-dir")
    arguments, resume = take_option(arguments, "--resume")
    if resume not in ("", "auto", "never"):  # the program takes the run folder from this path
        run_dir = Path(resume).resolve()
        if (run_dir / "manifest.json").exists():  # <run folder>/checkpoints/<checkpoint>
            run_dir = run_dir.parent.parent
    elif wanted:
        run_dir = Path(wanted)
    else:
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        run_dir = models_folder(root) / name_of(arguments) / f"{now}-{os.getpid()}"
    again = [*arguments, "--run-dir", str(run_dir), "--resume"]
    return RestartPlan(most, run_dir, [*again, resume or "auto"], [*again, "auto"])


def take_option(arguments: list[str], name: str) -> tuple[list[str], str]:
    """The arguments without an option, and its last value."""
    rest, value = [], ""
    words = iter(arguments)
    for word in words:
        if word == name:
            value = next(words, "")
        elif word.startswith(f"{name}="):
            value = word[len(name) + 1 :]
        else:
            rest.append(word)
    return rest, value


def run_with_restarts(
    words: Callable[[list[str]], list[str]], env: dict[str, str], plan: RestartPlan
) -> int:
    """Runs a training, and after a failure that may pass runs it again. `words` makes the
    words of the shell of the program's arguments, anew for each start."""
    supervisor = Supervisor(env, listen=True)
    begin = time.time()
    attempt = supervisor.run(words(plan.first))
    first_cause, restarts = attempt.cause, 0
    while attempt.may_pass and restarts < plan.most and not supervisor.received:
        restarts += 1
        say(f"lockstep: {attempt.cause}; restart {restarts} of {plan.most} in {plan.run_dir}")
        arguments = plan.again if _has_begun(plan.run_dir, begin) else plan.first
        attempt = supervisor.run(words(arguments))
    if attempt.status == 0 or supervisor.received:
        return attempt.status
    if attempt.may_pass:
        plural = "" if restarts == 1 else "s"
        say(f"lockstep: given up after {restarts} restart{plural}; first failure: {first_cause}")
    elif restarts:
        say(f"lockstep: {attempt.cause}: no restart would help; first failure: {first_cause}")
    return EXIT_PEER if attempt.killed else attempt.status


def _has_begun(run_dir: Path, start: float) -> bool:
    """Whether the training has come to its first step since then; what stands in the run
    folder is of an earlier one until it has."""
    try:
        return (run_dir / "status.json").stat().st_mtime >= start
    except OSError:
        return False


# --- One process below this one ---


def _relay_output(output: IO[bytes]) -> None:
    """Passes mpirun's output on, which would die with its ranks where nobody reads it."""
    is_read = True
    while chunk := os.read(output.fileno(), 1 << 16):
        try:
            while is_read and chunk:
                chunk = chunk[os.write(sys.stdout.fileno(), chunk) :]
        except OSError as error:
            is_read = False
            with contextlib.suppress(OSError):
                say(f"lockstep: standard output: {error.strerror}; going on without it")


@dataclass(frozen=True)
class Attempt:
    """How a process ended: the launcher's own exit status for it, and why in words."""

    status: int
    cause: str
    killed: bool  # by a signal that nobody sent through the launcher

    @property
    def may_pass(self) -> bool:
        """Whether a failure may be over when the same is tried again."""
        return self.killed or self.status in (EXIT_PEER, EXIT_RESTART)


class Supervisor:
    """Runs one process after another, and passes on to it the signals that come here."""

    def __init__(self, env: dict[str, str], listen: bool = False) -> None:
        self.received: list[int] = []
        self._env = env
        self._listen = listen
        self._process: subprocess.Popen[bytes] | None = None
        self._hardest = signal.SIGTERM
        self._last_error = ""
        self._messages = MpirunMessages()
        self._repeater: threading.Timer | None = None
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
                signal.signal(number, self._forward)

    def run(self, words: list[str]) -> Attempt:
        """Runs the words to their end."""
        variable = "OMPI_MCA_btl_vader_backing_directory"
        # Other hosts lack the folder; mpirun's daemons there remove what they make.
        here = words[0] != "mpirun" or "isolated" in words
        if variable in self._env or not here or not os.access(SHARED_MEMORY, os.W_OK):
            return self._run(words, self._env)
        # An mpirun that is killed leaves the files of its ranks' messages.
        with tempfile.TemporaryDirectory(
            prefix="lockstep-", dir=SHARED_MEMORY, ignore_cleanup_errors=True
        ) as folder:
            return self._run(words, self._env | {variable: folder})

    def _run(self, words: list[str], env: dict[str, str]) -> Attempt:
        # mpirun stops the ranks at TERM, the program alone would save once more.
        self._hardest = signal.SIGTERM if words[0] == "mpirun" else signal.SIGKILL
        # The ranks must not outlive a launcher that was killed.
        if setpriv := shutil.which("setpriv"):
            words = [setpriv, "--pdeathsig", "TERM", "--", *words]
        self._last_error = ""
        self._messages = MpirunMessages()
        listen = self._listen or "mpirun" in words
        # A session of its own keeps the terminal's Ctrl-C away: mpirun would kill the
        # ranks before they can save.
        process = subprocess.Popen(
            words, env=env, stdin=subprocess.DEVNULL, start_new_session=True,
            stdout=subprocess.PIPE if "mpirun" in words else None,
            stderr=subprocess.PIPE if listen else None,
        )
        self._process = process
        if self.received:  # while the process was being started
            self._ask()
        listeners = [threading.Thread(target=relay, args=(stream,), daemon=True)
                     for relay, stream in ((_relay_output, process.stdout),
                                           (self._relay, process.stderr)) if stream]
        for listener in listeners:
            listener.start()
        status = process.wait()
        for listener in listeners:
            listener.join(timeout=5)  # not for ever: a stray child may keep the pipe open
        return self._judge(status)

    def _forward(self, number: int, _: object) -> None:
        # mpirun answers TERM by killing the ranks within seconds, but passes USR1 on:
        # the ranks save and end. Whoever asks twice does not want to wait.
        if number == signal.SIGUSR1 and self.received:
            return  # asked before: a program asks again and again, and does not mean a stop
        self.received.append(number)
        if self._process and len(self.received) == 1:
            self._ask()
        elif self._process:
            self._process.send_signal(self._hardest)

    def _ask(self) -> None:
        """Asks the ranks to save, and again each second: those that are being started,
        perhaps on other hosts, do not hear, and mpirun keeps nothing for them."""
        process = self._process
        if process is None or process.returncode is not None or len(self.received) > 1:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGUSR1)
        self._repeater = threading.Timer(SECONDS_TO_ASK_AGAIN, self._ask)
        self._repeater.daemon = True
        self._repeater.start()

    def _relay(self, errors: IO[bytes]) -> None:
        """Passes stderr on and remembers the program's last message."""
        for line in errors:
            if self._messages.take(line.decode(errors="replace")):
                continue
            sys.stderr.buffer.write(line)
            sys.stderr.buffer.flush()
            text = line.decode(errors="replace").strip()
            if PEER_FAILED.match(text) and self._process:
                killer = threading.Timer(SECONDS_TO_END, self._process.kill)
                killer.daemon = True
                killer.start()
            if text.startswith("lockstep: "):
                self._last_error = text.removeprefix("lockstep: ")

    def _judge(self, status: int) -> Attempt:
        killed_by = -status if status < 0 else status - 128
        if killed_by > 0 and self.received:
            return Attempt(128 + self.received[0], "interrupted", killed=False)
        if cause := self._messages.cause():
            if cause.split(" (")[0] not in self._last_error:
                say(f"lockstep: {cause}")
            return Attempt(EXIT_PEER, cause, killed=False)
        if status and not self._last_error:
            sys.stderr.write(self._messages.text())
        if killed_by > 0:
            cause = f"a rank was killed by {signal_name(killed_by)}"
        else:
            cause = f"exit code {status}"
        if self._last_error:
            cause += f" ({self._last_error})"
        return Attempt(status, cause, killed_by > 0)

