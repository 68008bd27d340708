#!/usr/bin/env python3
"""Few images of new classes, from the weights of other classes and from none.

    tests/bench/fine_tune.py [--seeds N] [--images N] [--base-epochs N] [--epochs N] [--rates R ...]

The network of configs/resnet18.textproto is trained on Fashion-MNIST's classes 0 to 4,
30,000 images of 28x28 (Debian package dataset-fashion-mnist); then, with each seed and each
learning rate, on a few images of each of the classes 5 to 9, from new weights and from those. A
line for each: accuracy on the 5,000 official test images of these classes after the last epoch;
then the means, each way at the rate that is best for it. Runs have folders in
.deps/bench-data/fine-tune/.
"""

import argparse
import gzip
import json
import statistics
import struct
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FASHION = Path("/usr/share/datasets/fashion-mnist")
RUNS = ROOT / ".deps" / "bench-data" / "fine-tune"
PIXELS = 28 * 28
HEADER_OF_IMAGES = 16
HEADER_OF_LABELS = 8
# The last maps are of 1x1: with 32 samples a lane one odd image can be most of a channel's variance,
# and its loss a hundred times that of the others. So lanes are larger, and gradients limited.
SETTINGS = (
    "data.shape.height=28", "data.shape.width=28", "data.shape.channels=1", "data.classes=5",
    "model.layer[13].dense.units=5",
    "data.augmentation={flip:0.5 crop_padding_pixels:2}", "training.clip_norm=1",
)  # fmt: skip


def select(name: str, part: str, first_class: int, most_each: int) -> None:
    """Writes IDX files of the first images of each of five classes, numbered from 0."""
    images = gzip.decompress((FASHION / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((FASHION / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    chosen, counts = [], [0] * 5
    for row, label in enumerate(labels[HEADER_OF_LABELS:]):
        number = label - first_class
        if 0 <= number < len(counts) and counts[number] < most_each:
            counts[number] += 1
            chosen.append((row, number))
    rows = (HEADER_OF_IMAGES + row * PIXELS for row, _ in chosen)
    (RUNS / f"{name}-images.idx3").write_bytes(
        struct.pack(">4BIII", 0, 0, 8, 3, len(chosen), 28, 28)
        + b"".join(images[begin : begin + PIXELS] for begin in rows)
    )
    (RUNS / f"{name}-labels.idx1").write_bytes(
        struct.pack(">4BI", 0, 0, 8, 1, len(chosen)) + bytes(number for _, number in chosen)
    )


def source(field: str, name: str) -> list[str]:
    """The settings that name such files."""
    return [f"{field}.path={RUNS / f'{name}-images.idx3'}",
            f"{field}.labels={RUNS / f'{name}-labels.idx1'}"]  # fmt: skip


def train(run: str, *settings: str) -> float:
    """The accuracy on the validation rows after the last epoch."""
    command = ["launcher/lockstep", "train", "configs/resnet18.textproto", "--resume", "never"]
    command += ["--run-dir", str(RUNS / run)]
    for setting in (*SETTINGS, *settings):
        command += ["--set", setting]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    lines = (RUNS / run / "metrics.jsonl").read_text().splitlines()
    return float(json.loads(lines[-1])["val_accuracy"])


def main() -> None:
    """Trains and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="1 to this one")
    parser.add_argument("--images", type=int, default=100, help="of each new class")
    parser.add_argument("--base-epochs", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=30, help="on the new classes")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.02, 0.05])
    options = parser.parse_args()
    RUNS.mkdir(parents=True, exist_ok=True)
    select("base", "train", 0, 60_000)
    select("few", "train", 5, options.images)
    select("held", "t10k", 5, 10_000)
    base = [*source("data.train", "base"), f"training.epochs={options.base_epochs}"]
    base += ["training.global_batch=128", "training.lanes=2", "schedule={linear {warmup_epochs: 1}}"]
    base += ["optimizer.sgd.learning_rate=0.1", "optimizer.sgd.weight_decay=5e-4"]
    print(f"classes 0 to 4: {train('base', *base):.2%} of their validation rows", flush=True)
    few = [*source("data.train", "few"), *source("data.validation.source", "held")]
    few += ["data.validation.fraction=", f"training.epochs={options.epochs}"]
    few += ["training.global_batch=50", "training.lanes=1"]
    ways = {
        "new weights": [],
        "those": [f"initialize.path={RUNS / 'base'}", "initialize.skip=13.*"],
    }
    means = {}
    for way, begin in ways.items():
        for rate in options.rates:
            accuracies = []
            for seed in range(1, options.seeds + 1):
                settings = [*few, *begin, f"optimizer.sgd.learning_rate={rate}", f"seed={seed}"]
                accuracies.append(train(f"{way.split()[0]}-{rate}-{seed}", *settings))
            means[way, rate] = statistics.mean(accuracies)
            each = ", ".join(f"{accuracy:.2%}" for accuracy in accuracies)
            print(f"from {way} at {rate}: {means[way, rate]:.2%} ({each})", flush=True)
    new, tuned = (max(means[way, rate] for rate in options.rates) for way in ways)
    print(f"best of both: {new:.2%} and {tuned:.2%}, {100 * (tuned - new):+.2f} points")


if __name__ == "__main__":
    main()
