#!/usr/bin/env python3
"""Trains an experiment with several seeds, in bf16 and in fp32.

    tests/bench/seeds.py [EXPERIMENT] [--seeds N] [--precision BF16|FP32] [--set PATH=VALUE]
                         [--average-shifts PIXELS]

EXPERIMENT is the name of a file of configs/, by default digits_fast. A line for each run:
precision, seed, best validation accuracy, for Fashion-MNIST the accuracy of the last epoch's weights
on its official test images (and with --average-shifts averaged over shifts too), and the seconds
from the start of the command to its end; then the mean, the worst and for digits_fast how many
reached 99.20 %. Each run has a folder in .deps/bench-data/seeds/.
"""

import argparse
import json
import re
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNS = ROOT / ".deps" / "bench-data" / "seeds"
WANTED = {"digits_fast": 0.9920}
FASHION = Path("/usr/share/datasets/fashion-mnist")
TEST_IMAGES = ["--data", str(FASHION / "t10k-images-idx3-ubyte.gz"),
               "--labels", str(FASHION / "t10k-labels-idx1-ubyte.gz")]  # fmt: skip


def output_of(command: list[str]) -> str:
    """What a command of the launcher prints."""
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def tested(checkpoint: str, *words: str) -> float:
    """The accuracy on Fashion-MNIST's test images."""
    command = ["launcher/lockstep", "evaluate", checkpoint, *TEST_IMAGES, "--json", *words]
    return float(json.loads(output_of(command))["accuracy"])


def train(options: argparse.Namespace, precision: str, seed: int) -> tuple[float, float]:
    """The accuracy, and the seconds."""
    run = RUNS / f"{options.experiment}-{precision.lower()}-{seed}"
    command = ["launcher/lockstep", "train", f"configs/{options.experiment}.textproto"]
    command += ["--set", f"seed={seed}", "--set", f"training.precision={precision}"]
    command += [f"--set={setting}" for setting in options.settings]
    command += ["--resume", "never", "--run-dir", str(run)]
    begin = time.perf_counter()
    output = output_of(command)
    seconds = time.perf_counter() - begin
    found = re.search(r"^best val_accuracy: ([0-9.]+)", output, re.MULTILINE)
    if not found:
        raise SystemExit(f"lockstep train printed {output!r}; expected an accuracy")
    accuracy, of_test = float(found[1]), ""
    if options.experiment.startswith("fashion"):
        last = str(max((run / "checkpoints").glob("step-*")))
        accuracy = tested(last)
        of_test = f" of the validation rows, {accuracy:.2%} of the test images"
        if options.average_shifts:
            accuracy = tested(last, "--average-shifts", str(options.average_shifts))
            of_test += f", {accuracy:.2%} averaged over shifts"
    print(f"{precision} seed {seed:2}: {float(found[1]):.3%}{of_test} in {seconds:.1f} s", flush=True)
    return accuracy, seconds


def main() -> None:
    """Trains and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", nargs="?", default="digits_fast")
    parser.add_argument("--seeds", type=int, default=10, help="1 to this one")
    parser.add_argument("--precision", choices=["BF16", "FP32"], help="only this one")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--average-shifts", type=int, default=0, metavar="PIXELS")
    options = parser.parse_args()
    subprocess.run(["launcher/lockstep", "build"], cwd=ROOT, check=True)
    for precision in [options.precision] if options.precision else ["BF16", "FP32"]:
        runs = [train(options, precision, seed) for seed in range(1, options.seeds + 1)]
        accuracies, seconds = zip(*runs, strict=True)
        wanted = WANTED.get(options.experiment)
        reached = sum(accuracy >= (wanted or 0) for accuracy in accuracies)
        of_wanted = f", {reached} of {len(runs)} at least {wanted:.2%}" if wanted else ""
        print(
            f"{precision}: mean {statistics.mean(accuracies):.4%}, worst {min(accuracies):.4%}"
            f"{of_wanted}, median {statistics.median(seconds):.1f} s, longest {max(seconds):.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
