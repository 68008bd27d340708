#!/usr/bin/env python3
"""Measures Lockstep against its peers on this machine.

    tests/bench/run.py [PAIR ...] [--repeats N] [--steps N] [--list]

For every pair, Lockstep and the peer run by turns, each as often as `--repeats`
says; a ratio is the peer's seconds over Lockstep's of the same turn, so above 1
Lockstep is the faster one. A line shows the median of the ratios and their range,
and the two lines below it the commands. Nothing else should run meanwhile.
"""

import argparse
import difflib
import json
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCH = Path("tests/bench")
VENV = Path(".deps/bench-venv")
PYTHON = VENV / "bin" / "python"
CSV = Path(".deps/bench-data/train.csv")
PHOTOS = Path(".deps/bench-data/photos")
PHOTO_COUNT = 20000
ROWS = Path(".deps/bench-data")  # of random pixels, as random-<channels>x<height>x<width>.npz
THREADS = 2
ACCURACY = 0.9920  # of the validation rows, in the pairs that train until it is reached

# Open MPI refuses root, and looks for network hardware, unless told otherwise;
# containers often forbid reading another process's memory.
MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_btl": "self,vader",
    "OMPI_MCA_btl_base_warn_component_unused": "0",
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
}


@dataclass(frozen=True)
class Network:
    """An experiment whose network torch_networks.py has too."""

    experiment: str
    batch: int
    settings: tuple[str, ...] = ()


NETWORKS = {
    "digits": Network("configs/digits.textproto", 128),
    "plain": Network("tests/bench/plain.textproto", 128),
    "fashion_resnet": Network(
        "configs/fashion_resnet.textproto", 256, ("optimizer.adam.learning_rate=0.001",)
    ),
} | {
    name: Network(
        f"configs/{name}.textproto", 64,
        (f"data.train.path={ROWS / 'random-3x64x64.npz'}", "training.lanes=2"),
    )
    for name in ("resnet18", "mobilenet")
}  # fmt: skip


@dataclass(frozen=True)
class Side:
    """A command, and how its seconds are found in what it prints."""

    command: list[str]
    seconds: Callable[["Run"], float]


@dataclass(frozen=True)
class Run:
    """What a command printed, and the seconds from its start to its end."""

    text: str
    wall: float

    def json(self) -> dict:
        """The object in the last line."""
        return json.loads(self.text.splitlines()[-1])


@dataclass(frozen=True)
class Pair:
    """The same work by Lockstep and by a peer, or by Lockstep alone."""

    ours: Side
    peer: Side | None


def json_seconds(key: str) -> Callable[[Run], float]:
    """Reads one number of the JSON object in the last line."""
    return lambda run: float(run.json()[key])


def part_seconds(part: str) -> Callable[[Run], float]:
    """Reads a part of a step, of the rank where it is longest."""
    return lambda run: max(float(rank[part]) for rank in run.json()["by_rank"])


def wall_seconds(run: Run) -> float:
    """From the start of the process to its end."""
    return run.wall


def seconds_to_accuracy(run: Run) -> float:
    """The whole command, if it reached the accuracy."""
    found = re.search(r"^best val_accuracy: ([0-9.]+)", run.text, re.MULTILINE)
    if not found or float(found[1]) < ACCURACY:
        raise SystemExit(f"lockstep train ended below {ACCURACY}: {run.text!r}")
    return run.wall


def ingest_seconds(run: Run) -> float:
    """The median that bench_ingest prints."""
    found = re.search(r"median of \d+: ([0-9.]+) s", run.text)
    if not found:
        raise SystemExit(f"bench_ingest printed {run.text!r}; expected a median")
    return float(found[1])


def epoch_seconds(run: Run) -> float:
    """The last epoch of the run whose folder is printed."""
    found = re.search(r"^run folder +(.+)$", run.text, re.MULTILINE)
    if not found:
        raise SystemExit(f"lockstep train printed {run.text!r}; expected a run folder")
    lines = (Path(found[1]) / "metrics.jsonl").read_text().splitlines()
    return float(json.loads(lines[-1])["seconds"])


def saving_train(every_steps: int) -> list[str]:
    """An epoch with a checkpoint every so many steps; 0: one at its end."""
    command = ["launcher/lockstep", "train", "configs/digits_fast.textproto", "-np", "1"]
    command += ["--threads", str(THREADS), "--set", "training.epochs=1"]
    command += ["--set", f"checkpoint.every_steps={every_steps}", "--resume", "never"]
    return [*command, "--run-dir", str(ROOT / ".deps" / "bench-data" / f"save-{every_steps}")]


def lockstep_bench(
    precision: str, ranks: int, steps: int, threads: int = 0, name: str = "digits"
) -> list[str]:
    """Training steps of a network's experiment; threads of a rank, 0: all cores."""
    command = ["launcher/lockstep", "bench", NETWORKS[name].experiment]
    command += [f"--set={each}" for each in NETWORKS[name].settings]
    command += ["--set", f"training.precision={precision.upper()}"]
    command += ["-np", str(ranks), "--threads", str(threads or THREADS // ranks)]
    return [*command, "--steps", str(steps), "--json"]


def train_to_accuracy() -> Side:
    """All of digits_fast."""
    command = ["launcher/lockstep", "train", "configs/digits_fast.textproto", "-np", "1"]
    command += ["--threads", str(THREADS), "--resume", "never"]
    command += ["--run-dir", str(ROOT / ".deps" / "bench-data" / "to-accuracy")]
    return Side(command, seconds_to_accuracy)


def torch_peer(*arguments: str, ranks: int = 1, steps: int) -> list[str]:
    """A command of torch_peer.py on the same number of threads in all."""
    command = [str(PYTHON), str(BENCH / "torch_peer.py"), *arguments, "--ranks", str(ranks)]
    return [*command, "--threads", str(THREADS // ranks), "--steps", str(steps)]


def step_pair(
    precision: str, layout: str, mode: str, ranks: int, steps: int, name: str = "digits"
) -> Pair:
    """A training step against PyTorch's."""
    settings = ["--precision", precision, "--layout", layout, "--mode", mode]
    settings += ["--network", name, "--batch", str(NETWORKS[name].batch)]
    ours = lockstep_bench(precision, ranks, steps, name=name)
    return Pair(
        Side(ours, json_seconds("seconds_per_step")),
        Side(
            torch_peer("step", *settings, ranks=ranks, steps=steps),
            json_seconds("seconds_per_step"),
        ),
    )


def ingest_pair(library: str) -> Pair:
    """CSV to bytes in memory, by Lockstep on one core, which also checks and deals the
    rows, and by the peer on all."""
    ours = ["taskset", "-c", "0", "build/tests/bench/bench_ingest", str(CSV), "5"]
    peer = [str(PYTHON), str(BENCH / "csv_peer.py"), library, str(CSV)]
    peer += ["--threads", str(THREADS), "--repeats", "5"]
    return Pair(Side(ours, ingest_seconds), Side(peer, json_seconds("seconds")))


def images_pair(side: int) -> Pair:
    """JPEG files of 256x256 to rows of a side, by Lockstep from start to end and into a file."""
    ours = ["launcher/lockstep", "pack", str(PHOTOS), "-np", "1", "--out"]
    ours += [str(PHOTOS.with_suffix(".rows"))]
    for extent in ("height", "width"):
        ours += ["--set", f"data.shape.{extent}={side}"]
    peer = [str(PYTHON), str(BENCH / "image_peer.py"), str(PHOTOS), "--side", str(side)]
    return Pair(
        Side(ours, wall_seconds),
        Side([*peer, "--workers", str(THREADS)], json_seconds("seconds")),
    )


def make_pairs(steps: int) -> dict[str, Pair]:
    """All pairs by name."""
    pairs = {}
    for mode in ("eager", "compile"):
        for name, precision, layout in (
            ("fp32", "fp32", "contiguous"),
            ("fp32-channels-last", "fp32", "channels-last"),
            ("bf16-channels-last", "bf16", "channels-last"),
        ):
            pairs[f"torch-{name}-{mode}"] = step_pair(precision, layout, mode, 1, steps)
        for precision in ("fp32", "bf16"):
            pairs[f"ddp-{precision}-{mode}"] = step_pair(precision, "channels-last", mode, 2, steps)
        for name in ("plain", "fashion_resnet", "resnet18", "mobilenet"):
            for precision in ("fp32", "bf16"):
                pairs[f"{name}-{precision}-{mode}"] = step_pair(
                    precision, "channels-last", mode, 1, max(steps // 5, 1), name
                )
    pairs["allreduce"] = Pair(
        Side(lockstep_bench("fp32", 2, steps), part_seconds("sum")),
        Side(
            torch_peer("allreduce", ranks=2, steps=10 * steps), json_seconds("seconds_per_step")
        ),
    )
    keras = [str(PYTHON), str(BENCH / "keras_peer.py"), "--threads", str(THREADS)]
    pairs["keras"] = Pair(
        Side(lockstep_bench("fp32", 1, steps), json_seconds("seconds_per_step")),
        Side([*keras, "--steps", str(steps)], json_seconds("seconds_per_step")),
    )
    pairs["keras-to-accuracy"] = Pair(
        train_to_accuracy(),
        Side([*keras, "--accuracy", str(ACCURACY)], json_seconds("seconds_to_accuracy")),
    )
    # Against itself: what a second rank gives, what of a step is communication, what
    # checkpoints cost; and the time until a step has been done.
    two_ranks = lockstep_bench("bf16", 2, steps)
    pairs["two-ranks"] = Pair(
        Side(two_ranks, json_seconds("seconds_per_step")),
        Side(lockstep_bench("bf16", 1, steps, threads=1), json_seconds("seconds_per_step")),
    )
    pairs["exposed"] = Pair(
        Side(two_ranks, part_seconds("exposed")), Side(two_ranks, json_seconds("seconds_per_step"))
    )
    pairs["start"] = Pair(Side(lockstep_bench("bf16", 1, 1), wall_seconds), None)
    pairs["save"] = Pair(
        Side(saving_train(50), epoch_seconds), Side(saving_train(0), epoch_seconds)
    )
    for library in ("polars", "pyarrow", "pandas"):
        pairs[f"ingest-{library}"] = ingest_pair(library)
    pairs["images"] = images_pair(64)
    return pairs


def prepare_peers() -> None:
    """Makes the virtual environment, or makes it anew when the list has changed."""
    wanted = (ROOT / BENCH / "requirements.txt").read_text()
    stamp = ROOT / VENV / "requirements.txt"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"Installing the peers into {VENV}", file=sys.stderr)
    shutil.rmtree(ROOT / VENV, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", VENV], cwd=ROOT, check=True)
    install = [PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r"]
    subprocess.run([*install, BENCH / "requirements.txt"], cwd=ROOT, check=True)
    stamp.write_text(wanted)


def prepare_ingest() -> None:
    """Builds bench_ingest and unpacks the data set's CSV."""
    for command in (
        ["cmake", "-S", ".", "-B", "build", "-DLOCKSTEP_TESTS=ON"],
        ["cmake", "--build", "build", "--target", "bench_ingest"],
    ):
        subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)
    if not (ROOT / CSV).exists():
        (ROOT / CSV).parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(ROOT / "data" / "digit-recognizer.zip") as archive:
            archive.extract(CSV.name, (ROOT / CSV).parent)


def prepare_rows() -> None:
    """Makes the files of random rows."""
    for side in (32, 64):
        path = ROWS / f"random-3x{side}x{side}.npz"
        if (ROOT / path).exists():
            continue
        (ROOT / ROWS).mkdir(parents=True, exist_ok=True)
        make = (
            "import numpy; of = numpy.random.default_rng(1).integers; "
            f"numpy.savez({str(path)!r}, y=numpy.arange(4096) % {10 if side == 32 else 19}, "
            f"x=of(0, 256, (4096, {side}, {side}, 3), numpy.uint8))"
        )
        subprocess.run([PYTHON, "-c", make], cwd=ROOT, check=True)


def prepare_photos() -> None:
    """Makes the folder of JPEG files."""
    if (ROOT / PHOTOS).exists():
        return
    unfinished = PHOTOS.with_suffix(".part")
    make = [PYTHON, BENCH / "image_peer.py", unfinished, "--make", str(PHOTO_COUNT)]
    subprocess.run(make, cwd=ROOT, check=True)
    (ROOT / unfinished).rename(ROOT / PHOTOS)


def seconds_of(side: Side) -> float:
    """Runs a side once."""
    begin = time.perf_counter()
    result = subprocess.run(
        side.command, cwd=ROOT, env=MPI | os.environ, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if result.returncode:
        sys.stderr.write(result.stderr)
        raise SystemExit(f"{shlex.join(side.command)} ended with {result.returncode}")
    return side.seconds(Run(result.stdout, time.perf_counter() - begin))


def measure(name: str, pair: Pair, repeats: int) -> None:
    """Runs a pair by turns and prints its line."""
    ours, peer = [], []
    for turn in range(repeats):
        print(f"\r{name}: {turn + 1} of {repeats} ", end="", file=sys.stderr, flush=True)
        # Who begins changes, so that neither always finds the warmer machine.
        if turn % 2 == 0:
            ours.append(seconds_of(pair.ours))
        if pair.peer:
            peer.append(seconds_of(pair.peer))
        if turn % 2 == 1:
            ours.append(seconds_of(pair.ours))
    print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    print(line_of(name, ours, peer))
    print(f"    ours  {shlex.join(pair.ours.command)}", flush=True)
    if pair.peer:
        print(f"    peer  {shlex.join(pair.peer.command)}", flush=True)


def line_of(name: str, ours: list[float], peer: list[float]) -> str:
    """Median of the ratios, their range, and the medians in ms."""
    seconds = f"{statistics.median(ours) * 1e3:9.3f} ms"
    if not peer:
        span = f"({min(ours) * 1e3:.0f} to {max(ours) * 1e3:.0f} ms)"
        return f"{name:32} {'-':>6}  {span}  {seconds}  -  {len(ours)}"
    ratios = [theirs / mine for theirs, mine in zip(peer, ours, strict=True)]
    return (
        f"{name:32} {statistics.median(ratios):6.2f}  ({min(ratios):.2f} to {max(ratios):.2f})"
        f"  {seconds}  {statistics.median(peer) * 1e3:9.3f} ms  {len(ours)}"
    )


def main() -> None:
    """Runs the pairs that are named, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", nargs="*", metavar="PAIR")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100, help="measured in each run")
    parser.add_argument("--list", action="store_true", help="print the names of the pairs")
    options = parser.parse_args()
    pairs = make_pairs(options.steps)
    if options.list:
        print("\n".join(pairs))
        return
    for name in options.pairs:
        if name not in pairs:
            near = difflib.get_close_matches(name, pairs, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "see --list"
            raise SystemExit(f"no pair {name!r}; {hint}")
    chosen = options.pairs or list(pairs)
    prepare_peers()
    subprocess.run(["launcher/lockstep", "build"], cwd=ROOT, check=True)
    if any(name.startswith("ingest-") for name in chosen):
        prepare_ingest()
    if "images" in chosen:
        prepare_photos()
    if any(name.startswith(("plain-", "resnet18-", "mobilenet-")) for name in chosen):
        prepare_rows()
    print(f"{'pair':32} {'ratio':>6}  (range)  ours  peer  repeats")
    for name in chosen:
        measure(name, pairs[name], options.repeats)


if __name__ == "__main__":
    main()
