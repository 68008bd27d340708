#!/usr/bin/env python3
"""Trains configs/digits_fast.textproto with several seeds, in bf16 and in fp32.

    tests/bench/seeds.py [--seeds N] [--precision BF16|FP32]

A line for each run: precision, seed, best validation accuracy, seconds from the
start of the command to its end; then the mean, the worst and how many reached
99.20 %. Each run has a folder in .deps/bench-data/seeds/.
"""

import argparse
import re
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNS = ROOT / ".deps" / "bench-data" / "seeds"
WANTED = 0.9920


def train(precision: str, seed: int) -> tuple[float, float]:
    """The best validation accuracy, and the seconds."""
    command = ["launcher/lockstep", "train", "configs/digits_fast.textproto"]
    command += ["--set", f"seed={seed}", "--set", f"training.precision={precision}"]
    command += ["--resume", "never", "--run-dir", str(RUNS / f"{precision.lower()}-{seed}")]
    begin = time.perf_counter()
    result = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - begin
    found = re.search(r"^best val_accuracy: ([0-9.]+)", result.stdout, re.MULTILINE)
    if not found:
        raise SystemExit(f"lockstep train printed {result.stdout!r}; expected an accuracy")
    return float(found[1]), seconds


def main() -> None:
    """Trains and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, help="1 to this one")
    parser.add_argument("--precision", choices=["BF16", "FP32"], help="only this one")
    options = parser.parse_args()
    subprocess.run(["launcher/lockstep", "build"], cwd=ROOT, check=True)
    for precision in [options.precision] if options.precision else ["BF16", "FP32"]:
        runs = []
        for seed in range(1, options.seeds + 1):
            runs.append(train(precision, seed))
            accuracy, seconds = runs[-1]
            print(f"{precision} seed {seed:2}: {accuracy:.4%} in {seconds:.1f} s", flush=True)
        accuracies, seconds = zip(*runs, strict=True)
        reached = sum(accuracy >= WANTED for accuracy in accuracies)
        print(
            f"{precision}: mean {statistics.mean(accuracies):.4%}, worst {min(accuracies):.4%}, "
            f"{reached} of {len(runs)} at least {WANTED:.2%}, "
            f"median {statistics.median(seconds):.1f} s, longest {max(seconds):.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
