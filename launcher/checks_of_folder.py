"""What `doctor` looks at in the folder of run folders: room, locks, and the server's clock."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from findings import Finding, megabytes

LEAST_BYTES = 1 << 30  # of room on the disk
LEAST_FILES = 1000  # a run makes some dozens
MOST_CLOCK_SECONDS = 5.0
FIRST_YEAR = 2024
TRIAL_BYTES = 1 << 20
FAR = re.compile(r"nfs|lustre|gpfs|beegfs|ceph|fuse|cifs|smb|9p|orangefs|wekafs")
SECONDS = 30  # for a process that answers at once

KEPT_AWAY = 3
# Takes the lock that its parent has: KEPT_AWAY where it must not, 0 where it may.
OTHER_LOCK = """
import fcntl, sys
try:
    fcntl.flock(open(sys.argv[1], "r+"), fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(3)
"""


def check_folder(models: Path) -> list[Finding]:
    """Of the folder, or of the nearest one above it that exists."""
    place = models
    while not place.exists():
        place = place.parent
    found = [check_room(place, os.statvfs)]
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=place) as folder:
            trial = Path(folder)
            return [*found, check_write(trial), check_locks(trial), check_clock(trial, time.time)]
    except OSError as error:
        advice = (f"{error.strerror}; no run can be kept there: make room, or set LOCKSTEP_MODELS "
                  "to a folder that can be written")
        return [*found, Finding("models folder", str(models), advice), check_year(time.time())]


def check_room(folder: Path, statvfs: Callable[[Path], os.statvfs_result]) -> Finding:
    """On its disk: bytes and files."""
    there = statvfs(folder)
    free = there.f_bavail * there.f_frsize
    text = f"{folder}: {megabytes(free)} free"
    if there.f_files:  # some file systems have no bound
        text += f", {there.f_favail} files"
    advice = ""
    if free < LEAST_BYTES:
        advice = f"less than {megabytes(LEAST_BYTES)}; make room: checkpoints fill it"
    elif there.f_files and there.f_favail < LEAST_FILES:
        advice = f"room for fewer than {LEAST_FILES} files; remove some"
    return Finding("disk", text, advice)


def check_write(folder: Path) -> Finding:
    """A quota shows itself only then."""
    try:
        with open(folder / "trial", "wb") as file:
            file.write(bytes(TRIAL_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        advice = f"cannot be written: {error.strerror}; make room"
        if error.errno == errno.EDQUOT:
            advice = "your quota is used up (quota -s shows it); remove files, or ask for more"
        return Finding("models folder", str(folder.parent), advice)
    return Finding("models folder", f"{folder.parent} can be written")


def check_locks(folder: Path) -> Finding:
    """Whether a second process is kept away, as from a run folder in use."""
    path = folder / "lock"
    kind = file_system(folder)
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return Finding("locks", f"not on {kind}", f"{error.strerror}; two jobs in one run "
                           "folder would not notice each other: mount it with flock")
        done = subprocess.run([sys.executable, "-c", OTHER_LOCK, path], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=SECONDS, check=False)
    if done.returncode == KEPT_AWAY:
        far = "; between hosts not tried" if FAR.match(kind) else ""
        return Finding("locks", f"kept between processes, on {kind}{far}")
    return Finding("locks", f"not kept, on {kind}", "two processes got one lock: two jobs could "
                   "train in one run folder; mount it with flock (Lustre: not localflock)")


def check_locks_of_hosts(models: Path, agents: dict[str, list[str]]) -> list[Finding]:
    """Whether a lock here keeps a process of each host away; `agents`: the words that run a
    command there. Nothing of hosts that have another folder, or none, at that path."""
    found = []
    try:
        with tempfile.NamedTemporaryFile(prefix=".doctor-", dir=models) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for host, words in agents.items():
                done = subprocess.run(
                    [*words, "python3", "-", file.name], input=OTHER_LOCK, text=True,
                    capture_output=True, timeout=SECONDS, check=False, start_new_session=True)
                if done.returncode == 0:
                    found.append(Finding(
                        f"locks of {host}", "not kept", f"this host and {host} got one lock in "
                        f"{models}: never start two jobs in one run folder; mount it with flock "
                        "(Lustre: not localflock)"))
                elif done.returncode == KEPT_AWAY:
                    found.append(Finding(f"locks of {host}", "kept between the hosts"))
    except (OSError, subprocess.TimeoutExpired):
        pass  # told of the folder, or of the host
    return found


def file_system(path: Path, mounts: str = "/proc/self/mountinfo") -> str:
    """Its kind, as ext4 or nfs4 (proc(5))."""
    best, kind = "", "an unknown file system"
    try:
        lines = Path(mounts).read_text(errors="replace").splitlines()
    except OSError:
        return kind
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[4])
        if os.path.commonpath([point, path.resolve()]) == point and len(point) >= len(best):
            best, kind = point, after.split()[0]
    return kind


def check_clock(folder: Path, now: Callable[[], float]) -> Finding:
    """This host's, and that of the server of the folder."""
    wrong = check_year(now())
    if wrong.advice:
        return wrong
    begin = now()
    (folder / "time").touch()
    os.utime(folder / "time")  # by the server, where it has a clock of its own
    there = (folder / "time").stat().st_mtime
    # Its seconds may be cut off.
    offset = min(0.0, there + 1 - begin) + max(0.0, there - now())
    text = f"{wrong.found}; of new files: {abs(offset):.0f} s off"
    if abs(offset) <= MOST_CLOCK_SECONDS:
        return Finding("clock", text)
    word = "ahead" if offset > 0 else "behind"
    return Finding("clock", text, f"the file server's is {abs(offset):.0f} s {word}; set both by "
                   "chrony or ntpd")


def check_year(seconds: float) -> Finding:
    """A machine without a battery begins in 1970."""
    text = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
    is_past = time.gmtime(seconds).tm_year < FIRST_YEAR
    return Finding("clock", text, "that is long past; set it by chrony or ntpd" if is_past else "")
