"""Why the system's loader cannot start the program, in one line: a library that is missing, or
another one of its name that is found first."""

from __future__ import annotations

import os
import re
from pathlib import Path

EXIT_NOT_STARTED = 127
FAULT = re.compile(
    r"^\S+: (?:error while loading shared libraries: |symbol lookup error: |relocation error: )?"
    r"(?P<what>\S+: (?:cannot open shared object file|file too short|invalid ELF header|"
    r"wrong ELF class|undefined symbol|symbol \S+, version|version [`'].*' not found).*)$")


def loader_fault(line: str) -> str:
    """What the loader says in a line of stderr; empty for another line."""
    found = FAULT.match(line.strip())
    return found["what"] if found else ""


def explain(fault: str, env: dict[str, str]) -> str:
    """For the user: the fault, and which folder of LD_LIBRARY_PATH it may be of."""
    text = f"the program cannot start: {fault}"
    libraries = [Path(path).name for path in re.findall(r"[\w./+-]+\.so[\w.]*", fault)]
    if re.search("undefined symbol: o?mpi_", fault, re.IGNORECASE):  # of the program
        libraries.append("libmpi.so.40")
    folders = [folder for folder in env.get("LD_LIBRARY_PATH", "").split(":") if folder]
    for folder in folders:
        if any(os.path.exists(os.path.join(folder, name)) for name in libraries):
            return (f"{text}; {folder} comes first by LD_LIBRARY_PATH: unload that module, or "
                    "unset LD_LIBRARY_PATH")
    if folders:
        return f"{text}; unload the modules that set LD_LIBRARY_PATH, or build within them"
    return f"{text}; install what is missing, or build again: launcher/lockstep build"
