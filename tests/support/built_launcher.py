"""The launcher as a user starts it, but with the program that the tests were built with and
its folder for run folders; it installs and builds nothing."""

import os
import subprocess
import sys
from pathlib import Path

LAUNCHER = Path(__file__).resolve().parents[2] / "launcher"

DRIVER = """
import os, runpy, sys
from pathlib import Path
launcher, root, *words = sys.argv[1:]
sys.path.insert(0, launcher)
import build
class Built(build.Project):
    def __init__(self, _):
        super().__init__(Path(root))
        self.binary = Path(os.environ["LOCKSTEP"])
    def prepare(self, program=None):
        return "up to date"
build.Project = Built
sys.argv = [launcher + "/lockstep", *words]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def launcher_words(root, *words):
    """What starts the launcher, for another program to start."""
    return [sys.executable, "-c", DRIVER, str(LAUNCHER), str(root), *map(str, words)]


def launch(root, *words, environment=None, timeout=400):
    """Runs the launcher to its end in the folder `root`."""
    return subprocess.run(launcher_words(root, *words), cwd=root, env=environment or os.environ,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, check=False)
