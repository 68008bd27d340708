"""Runs a script of tests/support by the Python of the tests' virtual environment, which
has the packages that dependencies.toml lists in [test_venv]."""

import os
import subprocess
from pathlib import Path

PYTHON = Path(os.environ["LOCKSTEP_TEST_PYTHON"])


def run_python(script, *arguments):
    """What the script printed."""
    assert PYTHON.exists(), f"no {PYTHON}: run launcher/lockstep install test"
    command = [PYTHON, Path(__file__).with_name(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
