"""Folders in shared memory for the messages of mpirun's ranks: an mpirun that is killed
leaves its files, a launcher that is killed its folder."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

SHARED_MEMORY = "/dev/shm"
VARIABLE = "OMPI_MCA_btl_vader_backing_directory"
PREFIX = "lockstep-"


class MessageFolder:
    """A folder that is locked as long as its owner lives."""

    def __init__(self) -> None:
        sweep_message_folders()
        while True:
            self.path = tempfile.mkdtemp(prefix=PREFIX, dir=SHARED_MEMORY)
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
    if VARIABLE in env or not here or not os.access(SHARED_MEMORY, os.W_OK):
        return None
    try:
        return MessageFolder()
    except OSError:
        return None  # full: mpirun takes a folder of its own


def sweep_message_folders() -> None:
    """Removes those of this user whose owner is gone."""
    for folder in Path(SHARED_MEMORY).glob(f"{PREFIX}*"):
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
