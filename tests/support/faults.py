"""What the tests of faults share."""

import json
import shutil

from lockstep_run import LockstepTest, xxh3


def whole(folder):
    """Whether a checkpoint is what its manifest says."""
    manifest = json.loads((folder / "manifest.json").read_text())
    names = {path.name for path in folder.iterdir()}
    return names == {"manifest.json", *manifest["files"]} and all(
        xxh3((folder / name).read_bytes()) == entry["xxh3"]
        for name, entry in manifest["files"].items())


class FaultsTest(LockstepTest):
    def arguments(self, run, *more):
        return ("train", self.experiment, "--run-dir", self.folder / run, "--threads", 1, *more)

    def reference(self, run, *more):
        done = self.lockstep(*self.arguments(run, *more), ranks=None)
        return self.outcome(run, self.digest_of(done))

    def checkpoints(self, run):
        return sorted((self.folder / run / "checkpoints").glob("step-*"))

    def last_line(self, run):
        """Of metrics.jsonl, the newest that is whole; None without one."""
        path = self.folder / run / "metrics.jsonl"
        lines = path.read_text().split("\n") if path.exists() else []
        return json.loads(lines[-2]) if len(lines) > 1 else None

    def last_step(self, run):
        line = self.last_line(run)
        return line["step"] if line else 0

    def copy(self, run, name):
        shutil.copytree(self.folder / run, self.folder / name, symlinks=True)
        return self.folder / name
