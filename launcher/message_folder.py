"""Folders in shared memory for the messages of mpirun's ranks: an mpirun that is killed
leaves its files, a launcher that is killed its folder."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from console import say

SHARED_MEMORY = "/dev/shm"
VARIABLE = "OMPI_MCA_btl_vader_backing_directory"
PREFIX = "lockstep-messages-"
MADE = "????????"  # what tempfile.mkdtemp adds
OLD = f"lockstep-{MADE}"  # of earlier launchers, in shared memory
BYTES_OF_RANK = 4 << 20  # that vader wants of the folder
BYTES_SPARE = 1 << 20


class MessageFolder:
    """A folder that is locked as long as its owner lives."""

    def __init__(self, place: str = SHARED_MEMORY) -> None:
        sweep_message_folders(place)
        while True:
            self.path = tempfile.mkdtemp(prefix=PREFIX, dir=place)
            self._file = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX)
            except OSError:
                break  # no locks here, so nobody can sweep it either
            if os.path.isdir(self.path):
                break
            os.close(self._file)  # another launcher swept it before it was locked

    def close(self) -> None:
        """Removes it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._file)

    def __enter__(self) -> MessageFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def message_folder(words: list[str], env: dict[str, str]) -> MessageFolder | None:
    """For a command that needs one."""
    # Other hosts lack the folder; mpirun's daemons there remove what they make.
    here = words[0] == "mpirun" and "isolated" in words
    if VARIABLE in env or not here:
        return None
    wanted = message_bytes(int(words[words.index("-np") + 1]))
    places = [SHARED_MEMORY, tempfile.gettempdir()]
    for place in places:
        if free_bytes(place) < wanted:
            continue
        if place != SHARED_MEMORY:
            say(f"lockstep: {no_room_text(SHARED_MEMORY, wanted)}: they are kept in {place}; give "
                "it more (docker run --shm-size=1g)")
        try:
            return MessageFolder(place)
        except OSError:
            continue  # full by now
    say(f"lockstep: {no_room_text(' and '.join(places), wanted)}: they go over TCP, which is "
        "slower")
    return None


def message_bytes(ranks: int) -> int:
    """Of shared memory that the messages of so many ranks of a host take."""
    return ranks * BYTES_OF_RANK + BYTES_SPARE


def free_bytes(folder: str) -> int:
    """That this process may write there; 0 where it cannot."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return 0
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


def shortage(ranks: int, free: int | None) -> str:
    """What to say of a host of a job whose shared memory has `free` bytes, where mpirun has no
    other place; empty where they suffice or are not known."""
    if ranks < 2 or free is None or free >= message_bytes(ranks):
        return ""
    return (f"{no_room_text(SHARED_MEMORY, message_bytes(ranks))} of {ranks} ranks: they go over "
            "TCP, which is slower; give it more (docker run --shm-size=1g)")


def no_room_text(places: str, wanted: int) -> str:
    """What is wrong there."""
    return f"{places} cannot be written, or has less than the {wanted >> 20} MB of messages"


def sweep_message_folders(place: str = SHARED_MEMORY) -> None:
    """Removes those of this user whose owner is gone."""
    patterns = [f"{PREFIX}{MADE}", *([OLD] if place == SHARED_MEMORY else [])]
    for folder in (path for pattern in patterns for path in Path(place).glob(pattern)):
        try:
            file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            if os.fstat(file).st_uid == os.geteuid():
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            pass  # its owner lives
        finally:
            os.close(file)
