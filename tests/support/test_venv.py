"""Runs a script of tests/support by the Python of the tests' virtual environment, which
has the packages that dependencies.toml lists in [test_venv]."""

import os
import subprocess
from pathlib import Path

PYTHON = Path(os.environ["LOCKSTEP_TEST_PYTHON"])
# The benchmarks' own, which has the torch package; tests/bench/run.py makes it.
BENCH_PYTHON = PYTHON.parents[2] / "bench-venv" / "bin" / "python3"


def run_python(script, *arguments, python=PYTHON):
    """What the script printed."""
    assert python.exists(), f"no {python}: run launcher/lockstep install test"
    command = [python, Path(__file__).with_name(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
