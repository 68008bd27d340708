"""What the user sees: short lines with the time taken, and one line for an error."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path


EXIT_USAGE = 2


class LauncherError(Exception):
    """What failed, in one line for the user, and the exit status to end with."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


class CommandError(Exception):
    """A command ended with a status other than 0; `output` is all that it printed."""

    def __init__(self, output: str) -> None:
        super().__init__(output)
        self.output = output

    def reason(self) -> str:
        """The last line that names an error, or the last line."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        errors = [line for line in lines if re.match(r"(ERROR|E): ", line)]
        return (errors or lines or ["no output"])[-1]


def printable(text: str) -> str:
    """Text from a file, without characters that would do something to a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def say(line: str) -> None:
    """Prints a line on stderr: stdout belongs to the program."""
    print(line, file=sys.stderr, flush=True)


class Step:
    """A line that begins with what is done and ends with the seconds it took."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._start = time.monotonic()
        self._live = sys.stderr.isatty()

    def __enter__(self) -> Step:
        if self._live:
            self.tick("")
        else:
            say(f"{self._title} ...")
        return self

    def tick(self, detail: str) -> None:
        """Shows `detail` and the seconds so far, on a terminal."""
        if self._live:
            line = f"{self._title} ... {detail}{self._seconds():.0f} s"
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        word = "done in" if kind is None else "failed after"
        begin = f"\r\x1b[K{self._title} ..." if self._live else f"{self._title}:"
        say(f"{begin} {word} {self._seconds():.1f} s")

    def _seconds(self) -> float:
        return time.monotonic() - self._start


def run_step(title: str, command: list[str], env: dict[str, str] | None = None,
             folder: Path | None = None) -> str:
    """Runs a command, in `folder` where one is given, behind one line and returns its output;
    raises CommandError."""
    with Step(title) as step, tempfile.TemporaryFile() as log:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=env,
                cwd=folder,
            )
        except FileNotFoundError:
            raise CommandError(f"{command[0]} is not installed") from None
        try:
            while (status := _wait_a_second(process)) is None:
                step.tick(_progress(log.fileno()))
        except BaseException:
            process.terminate()
            process.wait()
            raise
        log.seek(0)
        output = log.read().decode(errors="replace")
        if status:
            raise CommandError(output)
        return output


def _wait_a_second(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        return None


def _progress(log: int) -> str:
    """The last "[n/m]" in the last bytes of a log, as "n of m, "."""
    size = os.fstat(log).st_size
    tail = os.pread(log, 4096, max(0, size - 4096)).decode(errors="replace")
    counts = re.findall(r"^\[(\d+)/(\d+)\]", tail, re.MULTILINE)
    return f"{counts[-1][0]} of {counts[-1][1]}, " if counts else ""
