"""The #SBATCH lines of a batch script: options that sbatch reads as they were meant."""

from __future__ import annotations

import re

from console import EXIT_USAGE, LauncherError

PLAIN = re.compile(r"[\w@%+=:,./\[\]-]*", re.ASCII)


def directive(option: str, value: str) -> str:
    """A line for a long option of sbatch."""
    return f"#SBATCH --{option}={_quoted(value)}"


def path_directive(option: str, path: str, pattern: str = "") -> str:
    """The same for a file's name, in which sbatch would replace what begins with %, but for
    the `pattern` that is meant. A backslash ends that, and is then taken away itself."""
    folder, name = path, ""
    if pattern:
        folder, found, name = path.rpartition(pattern)
        name = found + name
    if "\\" in path:
        raise LauncherError(f"{path!r}: Slurm writes no log below a folder with a backslash in its "
                            "name; choose another --run-dir", EXIT_USAGE)
    return directive(option, folder.replace("%", "%%") + name)


def own_directive(words: str) -> str:
    """A line for an option that the user gave as it is: --account=x, -A x, --exclusive."""
    found = re.fullmatch(r"(--[a-z][\w-]*)(?:(=|\s+)(.*))?|(-[A-Za-z])(?:\s*)(.*)", words.strip(),
                         re.ASCII | re.DOTALL)
    if not found:
        raise LauncherError(f"--sbatch is {words!r}: expected an option of sbatch, as "
                            "--sbatch=--account=x", EXIT_USAGE)
    if short := found[4]:
        return f"#SBATCH {short}" + (f" {_quoted(found[5])}" if found[5] else "")
    between = found[2] if found[2] in (None, "=") else " "
    return f"#SBATCH {found[1]}" + (f"{between}{_quoted(found[3])}" if between else "")


def _quoted(value: str) -> str:
    """As sbatch reads the words of a line: quotes, in which a backslash guards one letter."""
    if not value.isprintable():
        raise LauncherError(f"{value!r}: expected no control characters in what is given to Slurm",
                            EXIT_USAGE)
    if value and PLAIN.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
