"""Runs the program, alone or under mpirun, and starts it again after a failure."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from alive import watching
from connections import names_of, silent_peers
from console import LauncherError, say
from job import environment_alone, models_folder
from loader_faults import EXIT_NOT_STARTED, explain, loader_fault
from memory_kills import memory_kills, told
from message_folder import VARIABLE, message_folder
from mpirun_messages import MpirunMessages, host_lost, signal_name
from run_files import CANCELLED, MANIFEST_FILE, STATUS_FILE
from stop_requests import StopRequests, main_thread_takes_signals, on_signals

EXIT_PEER = 4
EXIT_RESTART = 75
EXIT_MPI_ABORT = 255  # Open MPI ended the job itself, as where it loses a connection to a peer
# mpirun waits for a host that is cut off, for minutes where it has something to tell it.
SECONDS_TO_END = 10
SECONDS_BETWEEN_SIGNALS = 1
SECONDS_BETWEEN_LOOKS = 1  # at the connections to hosts
SAVED = b"saved in "  # on request
LAST_LINES = (SAVED, b"weights xxh3:")  # of a training
PEER_FAILED = re.compile(
    r"lockstep: (waited \d+ s in: |other hosts have waited |rank \d+ on \S+ died )")


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


def plan_restarts(
    arguments: list[str], most: int, root: Path, name: Callable[[], str]
) -> RestartPlan:
    """Fixes the run folder of a training: the user's own, or a new one below the experiment's
    name, which is asked for only then."""
    arguments, wanted = take_option(arguments, "--run-dir")
    arguments, resume = take_option(arguments, "--resume")
    if resume not in ("", "auto", "never"):  # the program takes the run folder from this path
        run_dir = Path(resume).resolve()
        if (run_dir / MANIFEST_FILE).exists():  # <run folder>/checkpoints/<checkpoint>
            run_dir = run_dir.parent.parent
    elif wanted:
        run_dir = Path(wanted)
    else:
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        run_dir = models_folder(root) / name() / f"{now}-{os.getpid()}"
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
    with watching(plan.run_dir):
        return _run_with_restarts(words, env, plan)


def _run_with_restarts(
    words: Callable[[list[str]], list[str]], env: dict[str, str], plan: RestartPlan
) -> int:
    supervisor = Supervisor(env, listen=True, cancelled=plan.run_dir / CANCELLED)
    before = _status_in(plan.run_dir)
    attempt = supervisor.run(words(plan.first))
    first_cause, restarts = attempt.cause, 0
    while attempt.may_pass and restarts < plan.most and not supervisor.is_asked():
        restarts += 1
        say(f"lockstep: {attempt.cause}; restart {restarts} of {plan.most} in {plan.run_dir}")
        arguments = plan.first if _status_in(plan.run_dir) == before else plan.again
        attempt = supervisor.run(words(arguments))
    if attempt.status == 0 or supervisor.is_asked():
        return EXIT_PEER if attempt.killed else attempt.status
    if attempt.may_pass:
        plural = "" if restarts == 1 else "s"
        say(f"lockstep: given up after {restarts} restart{plural}; first failure: {first_cause}")
    elif restarts:
        say(f"lockstep: {attempt.cause}: no restart would help; first failure: {first_cause}")
    return EXIT_PEER if attempt.killed else attempt.status


def _status_in(run_dir: Path) -> tuple[int, int, bytes] | None:
    """The status file of a run folder, which is another one once the training has come to its
    first step; no clock says that, as the folder may be on a server with one of its own."""
    path = run_dir / STATUS_FILE
    try:
        found = path.stat()
        return found.st_ino, found.st_mtime_ns, path.read_bytes()
    except OSError:
        return None


# --- One process below this one ---


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
    """Runs one process after another, and passes on to it the signals that come here. A file
    `cancelled` is as a signal."""

    def __init__(
        self, env: dict[str, str], listen: bool = False, cancelled: Path | None = None
    ) -> None:
        self._requests = StopRequests()
        self._env = env
        self._listen = listen
        self._cancelled = cancelled
        self._process: subprocess.Popen[bytes] | None = None
        self._with_mpirun = False
        self._is_training = False
        self._has_output = self._has_heard = self._is_saved = False
        self._ticks = 0
        self._last_error = ""
        self._loader_fault = ""
        self._output_error: OSError | None = None
        self._messages = MpirunMessages()
        self._lost: list[str] = []
        on_signals(self._forward)
        signal.signal(signal.SIGALRM, self._tick)

    def is_asked(self) -> bool:
        """Whether somebody wants the end."""
        if not self._requests and self._cancelled and os.path.exists(self._cancelled):
            self._forward(signal.SIGUSR1, None)
        return bool(self._requests)

    def run(self, words: list[str]) -> Attempt:
        """Runs the words to their end."""
        if self._requests:  # while they were being made
            return Attempt(self._requests.exit_status, "interrupted", killed=False)
        if words[0] != "mpirun":
            return self._run(words, environment_alone(self._env))
        folder = message_folder(words, self._env)
        if folder is None:
            return self._run(words, self._env)
        with folder:
            return self._run(words, self._env | {VARIABLE: folder.path})

    def _run(self, words: list[str], env: dict[str, str]) -> Attempt:
        self._with_mpirun = words[0] == "mpirun"
        self._is_training = "train" in words
        # The ranks must not outlive a launcher that was killed.
        if setpriv := shutil.which("setpriv"):
            words = [setpriv, "--pdeathsig", "TERM", "--", *words]
        self._last_error = self._loader_fault = ""
        self._has_output = self._has_heard = self._is_saved = False
        self._messages = MpirunMessages()
        self._lost = []
        kills_before = memory_kills()
        # A session of its own keeps the terminal's Ctrl-C away: mpirun would kill the
        # ranks before they can save. And mpirun would not outlive its reader.
        process = subprocess.Popen(
            words, env=env, stdin=subprocess.DEVNULL, start_new_session=True,
            stdout=subprocess.PIPE if self._with_mpirun else None,
            stderr=subprocess.PIPE if self._listen or self._with_mpirun else None,
        )
        self._process = process
        if self._requests:  # while the process was being started
            self._pass_on()
        with main_thread_takes_signals():
            relays = self._start_threads(process, words)
        status = self._wait(process)
        kills = told(kills_before)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for relay in relays:
            relay.join(timeout=5)  # not for ever: a stray child may keep the pipe open
        attempt = self._judge(status)
        if kills and not self._requests and (attempt.killed or attempt.status == EXIT_PEER):
            say(f"lockstep: {kills}")
        return attempt

    def _start_threads(
        self, process: subprocess.Popen[bytes], words: list[str]
    ) -> list[threading.Thread]:
        """Those that relay what the process says, and one that watches its hosts."""
        relays = [threading.Thread(target=relay, args=(pipe,), daemon=True)
                  for relay, pipe in ((self._relay_output, process.stdout),
                                      (self._relay_errors, process.stderr)) if pipe]
        for relay in relays:
            relay.start()
        if self._with_mpirun:
            listed = words[words.index("--host") + 1] if "--host" in words else ""
            hosts = [each.split(":")[0] for each in listed.split(",") if each]
            threading.Thread(target=self._watch_hosts, args=(process, hosts), daemon=True).start()
        return relays

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        while self._cancelled and not self.is_asked():
            try:
                return process.wait(timeout=SECONDS_BETWEEN_SIGNALS)
            except subprocess.TimeoutExpired:
                pass
        return process.wait()

    def _watch_hosts(self, process: subprocess.Popen[bytes], hosts: list[str]) -> None:
        """mpirun itself waits for minutes for the answer of a host that is cut off, unless it
        had nothing to say to it."""
        while process.returncode is None and not self._lost:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            if silent := silent_peers(process.pid):
                self._lost = names_of(silent, hosts)
        if self._lost:
            process.terminate()  # mpirun ends the ranks here, and waits for those there
            self._kill_later(process)

    def _kill_later(self, process: subprocess.Popen[bytes]) -> None:
        killer = threading.Timer(SECONDS_TO_END, process.kill)
        killer.daemon = True
        killer.start()

    def _forward(self, number: int, _: object) -> None:
        if not self._requests.take(number):
            return
        self._ticks = 0
        if self._process:
            self._pass_on()

    def _tick(self, *_: object) -> None:
        self._ticks += 1
        self._pass_on()

    def _pass_on(self) -> None:
        """Asks for the end, and goes on asking: mpirun loses what comes before it has ranks."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        if self._requests.must_stop:
            # mpirun stops the ranks at TERM, the program alone would save once more.
            is_deaf = self._ticks >= SECONDS_TO_END
            process.send_signal(signal.SIGTERM if self._with_mpirun and not is_deaf
                                else signal.SIGKILL)
        elif not self._has_heard:
            # mpirun answers TERM by killing the ranks within seconds, but passes USR1 on: the
            # ranks save and end.
            process.send_signal(signal.SIGUSR1)
        signal.setitimer(signal.ITIMER_REAL, SECONDS_BETWEEN_SIGNALS)

    def _relay_output(self, output: IO[bytes]) -> None:
        """Passes stdout on as it comes, and reads on when nobody wants it any more."""
        line = b""
        while part := os.read(output.fileno(), 1 << 16):
            self._has_output = True
            if not self._output_error:
                self._output_error = write_all(sys.stdout.fileno(), part)
            # From here on mpirun may be about to end, and no longer take a signal.
            *lines, line = (line + part).split(b"\n")
            self._has_heard |= any(each.startswith(LAST_LINES) for each in lines)
            self._is_saved |= any(each.startswith(SAVED) for each in lines)
            line = line[:64]

    def _relay_errors(self, errors: IO[bytes]) -> None:
        """Passes stderr on and remembers the program's last message."""
        for line in errors:
            if self._messages.take(line.decode(errors="replace")):
                continue
            text = line.decode(errors="replace").strip()
            if fault := loader_fault(text):
                self._loader_fault = self._loader_fault or fault  # of each rank the same
                continue
            write_all(sys.stderr.fileno(), line)
            if PEER_FAILED.match(text) and self._process:
                self._kill_later(self._process)
            if text.startswith("lockstep: "):
                self._last_error = text.removeprefix("lockstep: ")

    def _judge(self, status: int) -> Attempt:
        if self._is_saved and not self._requests.must_stop:
            status = EXIT_RESTART  # whatever became of mpirun
        killed_by = -status if status < 0 else status - 128
        if self._lost and status not in (0, EXIT_RESTART):
            return self._peer_failed(host_lost(self._lost))
        # So ends, with any status, an mpirun that is told to pass a signal on while it reaches
        # for the hosts.
        is_early = self._with_mpirun and not self._has_output and not self._last_error
        is_asked, must_stop = bool(self._requests), self._requests.must_stop
        if is_asked and not must_stop and is_early and not self._messages.cause():
            say("lockstep: ended on request before the ranks had begun")
            status = EXIT_RESTART if self._is_training else self._requests.exit_status
            return Attempt(status, "interrupted", killed=False)
        if status == EXIT_NOT_STARTED and not self._with_mpirun:  # the loader has said why
            text = explain("see the line above", self._env)
            say(f"lockstep: {text}")
            return Attempt(1, text, killed=False)
        if self._loader_fault and status != 0:
            text = explain(self._loader_fault, self._env)
            say(f"lockstep: {text}")
            return Attempt(1, text, killed=False)
        # mpirun gives 1 where it was stopped; what ended all the same says so itself.
        stopped = must_stop and status not in (0, EXIT_RESTART)
        if is_asked and (killed_by > 0 or stopped):
            return Attempt(self._requests.exit_status, "interrupted", killed=False)
        if status != EXIT_RESTART and (cause := self._messages.cause()):
            return self._peer_failed(cause)
        if self._with_mpirun and status == EXIT_MPI_ABORT:
            return self._peer_failed(self._last_error or self._messages.broken_connection()
                                     or "Open MPI ended the job (exit code 255)")
        if status not in (0, EXIT_RESTART) and not self._last_error:
            write_all(sys.stderr.fileno(), self._messages.text().encode())
        if status == 0 and self._output_error and self._output_error.errno != errno.EPIPE:
            say(f"lockstep: standard output: {self._output_error.strerror}")
            status = 1
        if killed_by > 0:
            who = "mpirun" if self._with_mpirun and status < 0 else "a rank"
            cause = f"{who} was killed by {signal_name(killed_by)}"
        else:
            cause = f"exit code {status}"
        if self._last_error:
            cause += f" ({self._last_error})"
        return Attempt(status, cause, killed_by > 0)

    def _peer_failed(self, cause: str) -> Attempt:
        if cause.split(" (")[0] in self._last_error:
            cause = self._last_error  # the program's own knows more
        else:
            say(f"lockstep: {cause}")
        return Attempt(EXIT_PEER, cause, killed=False)


def write_all(file: int, data: bytes) -> OSError | None:
    """Writes to a file of this process; gives the reason where it cannot be written."""
    try:
        while data:
            data = data[os.write(file, data) :]
    except OSError as error:
        return error
    return None
