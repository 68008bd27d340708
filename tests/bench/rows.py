#!/usr/bin/env python3
"""Training from rows that stay in their file, ten times larger than the memory that they may take
and not in the system's memory either, against rows held in memory; and how soon a run begins to
train on packed rows, against raw ones that need no decoding.

    tests/bench/rows.py [--folder FOLDER] [--rows N] [--repeats N] [--ranks N] [--threads N]

FOLDER must be on a disk. Only root may empty the system's memory of files."""

import argparse
import json
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = ROOT / "build/lockstep"
PIXELS = 28 * 28
CLASSES = 10
TIMES_LARGER = 10


def write_images(folder: Path, rows: int) -> None:
    """IDX files of noise: what is in the images takes no part in the time of a step."""
    noise = random.Random(1)
    with open(folder / "images", "wb") as file:
        file.write(struct.pack(">4I", 0x803, rows, 28, 28))
        for _ in range(rows):
            file.write(noise.randbytes(PIXELS))
    with open(folder / "labels", "wb") as file:
        file.write(struct.pack(">2I", 0x801, rows))
        file.write(bytes(noise.randrange(CLASSES) for _ in range(rows)))


def write_experiment(path: Path, source: str) -> None:
    text = (ROOT / "configs/digits_fast.textproto").read_text()
    first = text.index("train {")
    end = text.index("}", first) + 1
    path.write_text(text[:first] + f"train {{ {source} }}" + text[end:])


class Bench:
    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self.arguments = arguments
        self.folder = folder

    def run(self, *words: str, **environment: str) -> tuple[float, str]:
        """The seconds of a command, and what it printed."""
        ranks = self.arguments.ranks
        before = [] if ranks == 1 else ["mpirun", "-q", "-np", str(ranks), "--bind-to", "none"]
        begin = time.monotonic()
        done = subprocess.run(
            [*before, BINARY, *words], env=dict(os.environ, **environment), cwd=self.folder,
            check=True, capture_output=True, text=True)
        return time.monotonic() - begin, done.stdout

    def images_per_second(self, experiment: str, **environment: str) -> float:
        """Of a whole epoch."""
        run = tempfile.mkdtemp(dir=self.folder)
        self.run("train", experiment, "--run-dir", run, "--threads", str(self.arguments.threads),
                 "--set", "training.epochs=1", "--set", "data.validation.fraction=0.01",
                 **environment)
        lines = map(json.loads, Path(run, "metrics.jsonl").read_text().splitlines())
        return next(line["images_per_second"] for line in lines if line["kind"] == "epoch")

    def start(self, experiment: str) -> float:
        """Until two steps are done."""
        return self.run("bench", experiment, "--steps", "1", "--threads",
                        str(self.arguments.threads))[0]


def forget_files() -> None:
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n")


def line_of(values: list[float], digits: int) -> str:
    return (f"{statistics.median(values):.{digits}f} "
            f"({min(values):.{digits}f} to {max(values):.{digits}f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--folder", default="/var/tmp")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("rows.py: only root may empty the system's memory of files")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        bench = Bench(arguments, folder)
        write_images(folder, arguments.rows)
        write_experiment(folder / "raw.textproto", 'path: "images" labels: "labels"')
        write_experiment(folder / "packed.textproto", 'path: "rows"')
        seconds, _ = bench.run("pack", "images", "--labels", "labels", "--out", "rows")
        size = (folder / "rows").stat().st_size
        memory = size // TIMES_LARGER // arguments.ranks
        print(f"{arguments.rows} rows, {size / 1e6:.0f} MB packed in {seconds:.2f} s; "
              f"{memory / 1e6:.1f} MB of memory for each of {arguments.ranks} ranks", flush=True)
        held, streamed, ratios = [], [], []
        for _ in range(arguments.repeats):
            held.append(bench.images_per_second("raw.textproto"))
            forget_files()
            streamed.append(bench.images_per_second("packed.textproto",
                                                    LOCKSTEP_DATA_MEMORY=str(memory)))
            ratios.append(streamed[-1] / held[-1])
            print(f"  {held[-1]:.0f} and {streamed[-1]:.0f} images/s", flush=True)
        print(f"images/s, held in memory:     {line_of(held, 0)}")
        print(f"images/s, left in their file: {line_of(streamed, 0)}")
        print(f"ratio:                        {line_of(ratios, 3)}")
        raw, packed = [], []
        for _ in range(arguments.repeats):
            raw.append(bench.start("raw.textproto"))
            packed.append(bench.start("packed.textproto"))
        later = [b - a for a, b in zip(raw, packed)]
        print(f"start to two steps, raw:      {line_of(raw, 2)} s")
        print(f"start to two steps, packed:   {line_of(packed, 2)} s")
        print(f"later by:                     {line_of(later, 2)} s")


if __name__ == "__main__":
    main()
