#!/usr/bin/env python3
"""Compares what `lockstep plan` predicts with what `lockstep bench` measures on 1, 2 and 4
ranks of this machine, in turn, and prints the error of the median step."""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = os.environ | {"LOCKSTEP_ROOT": str(ROOT), "OMPI_ALLOW_RUN_AS_ROOT": "1",
                            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def run(words: list[object]) -> dict:
    """The JSON object that a command prints."""
    done = subprocess.run(list(map(str, words)), env=ENVIRONMENT, stdout=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, text=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", nargs="?", default=ROOT / "configs/digits_fast.textproto")
    parser.add_argument("--binary", default=ROOT / "build" / "lockstep")
    parser.add_argument("--ranks", default="1,2,4")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    ranks = [int(number) for number in options.ranks.split(",")]
    most = max(ranks)
    predicted = {number: [] for number in ranks}
    measured = {number: [] for number in ranks}
    for _ in range(options.repeats):
        planned = run([options.binary, "plan", options.experiment, "--json", "--ranks",
                       options.ranks, "--ranks-per-node", most])
        for each in planned["plans"]:
            predicted[each["ranks"]].append(each["seconds_per_step"])
        for number in ranks:
            mpirun = ["mpirun", "-q", "-np", number, "--oversubscribe", "--bind-to", "none"]
            took = run([*mpirun, options.binary, "bench", options.experiment, "--json",
                        "--threads", 1])
            measured[number].append(took["seconds_per_step"])
    print("ranks  predicted ms  measured ms  error")
    for number in ranks:
        guess = statistics.median(predicted[number]) * 1e3
        truth = statistics.median(measured[number]) * 1e3
        print(f"{number:5} {guess:13.3f} {truth:12.3f} {guess / truth - 1:+6.1%}")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"failed with status {error.returncode}: {error.cmd}")
