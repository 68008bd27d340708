"""Paths as the user's shell names them: the system's own name of a folder may be one that other
hosts do not mount, as where homes are links."""

from __future__ import annotations

import os
from pathlib import Path


def as_named(path: Path | str) -> str:
    """An absolute path, below what the shell calls the current folder or the user's home where
    the path is there."""
    text = os.path.abspath(path)
    for named in (os.environ.get("PWD", ""), os.path.expanduser("~")):
        if not os.path.isabs(named) or os.path.normpath(named) != named:
            continue
        of_system = os.path.realpath(named)
        named, of_system = _beginnings(named, of_system)
        if named != of_system and (text + "/").startswith(of_system.rstrip("/") + "/"):
            return named.rstrip("/") + text[len(of_system.rstrip("/")):]
    return text


def _beginnings(named: str, of_system: str) -> tuple[str, str]:
    """Two names of one folder without the end that both have: they differ only before that."""
    while os.path.basename(named) == os.path.basename(of_system) != "":
        parents = os.path.dirname(named), os.path.dirname(of_system)
        try:
            if not os.path.samefile(*parents):
                break
        except OSError:
            break
        named, of_system = parents
    return named, of_system
