"""A control group of some of this machine's CPUs, of version 1 or 2. Needs root."""

import os
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


class CpuGroup:
    """Until close(), when nothing runs in it any more. Skips the test where none can be made."""

    def __init__(self, cpus):
        try:
            self._folder = self._make(",".join(map(str, cpus)))
        except OSError as error:
            raise unittest.SkipTest(f"no control group of CPUs can be made here: {error}") from None

    @staticmethod
    def _make(cpus):
        is_second = (ROOT / "cgroup.controllers").exists()
        if is_second:
            (ROOT / "cgroup.subtree_control").write_text("+cpuset")
        above = ROOT if is_second else ROOT / "cpuset"
        folder = Path(tempfile.mkdtemp(prefix="lockstep-test-", dir=above))
        try:
            if not is_second:
                (folder / "cpuset.mems").write_text((above / "cpuset.mems").read_text())
            (folder / "cpuset.cpus").write_text(cpus)
        except OSError:
            folder.rmdir()
            raise
        return folder

    @property
    def words(self):
        """What runs the words after it in the group."""
        return ["sh", "-ec", f'echo $$ >{self._folder}/cgroup.procs; exec "$@"', "sh"]

    def close(self):
        end = time.monotonic() + 400
        while time.monotonic() < end and (self._folder / "cgroup.procs").read_text():
            time.sleep(0.05)
        os.rmdir(self._folder)
