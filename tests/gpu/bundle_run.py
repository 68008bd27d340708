#!/usr/bin/env python3
"""Runs what a bundle holds, on the machine that it was brought to.

    ./run check [WORD...]    all checks, or those that have one of the words in their names
    ./run bench              the time of a training step, beside PyTorch's
    ./run start              from the start of a training to 99.20 % validation accuracy
    ./run -- COMMAND...      any command, as `./run -- mpirun -np 2 rank lockstep train ...`

PyTorch is that of `import torch`, or the folder with lib/ that LOCKSTEP_TORCH names.
"""

import argparse
import ctypes
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUNDLE = Path(__file__).resolve().parent
BIN = BUNDLE / "bin"
EXPERIMENT = BUNDLE / "configs" / "digits_fast.textproto"
RANKS = (1, 2, 4)
PRECISIONS = ("FP32", "BF16")
ACCURACY = 0.9920
TIME_LIMIT_SECONDS = 300  # of a check
LINES_OF_A_FAILURE = 40


# --- The environment ---------------------------------------------------------


def torch_folder():
    named = os.environ.get("LOCKSTEP_TORCH")
    if named:
        return Path(named).resolve()
    spec = importlib.util.find_spec("torch")
    if spec is None:
        sys.exit("run: python3 has no PyTorch; set LOCKSTEP_TORCH to a folder with its lib/")
    return Path(spec.origin).parent


def environment():
    """Where the bundle's programs find their libraries, Open MPI its parts, and experiments
    their data."""
    torch = torch_folder()
    folders = [BIN, torch / "lib", *sorted(torch.parent.glob("nvidia/*/lib")), BUNDLE / "lib"]
    if "LD_LIBRARY_PATH" in os.environ:
        folders.append(os.environ["LD_LIBRARY_PATH"])
    values = {
        "PATH": f"{BIN}:{os.environ.get('PATH', os.defpath)}",
        "LD_LIBRARY_PATH": ":".join(map(str, folders)),
        "LOCKSTEP_ROOT": BUNDLE,
        "OPAL_PREFIX": BUNDLE / "openmpi",
        "OPAL_BINDIR": BIN,
        "OPAL_LIBDIR": BUNDLE / "lib",
        "OPAL_PKGLIBDIR": BUNDLE / "openmpi" / "plugins",
        "OPAL_PKGDATADIR": BUNDLE / "openmpi" / "share",
        "OPAL_SYSCONFDIR": BUNDLE / "openmpi" / "etc",
        "PMIX_PREFIX": BUNDLE / "pmix",
        "PMIX_PKGLIBDIR": BUNDLE / "pmix" / "plugins",
        "PMIX_PKGDATADIR": BUNDLE / "pmix" / "share",
        "OMPI_ALLOW_RUN_AS_ROOT": 1,
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": 1,
        # One machine, which may have no network; containers often forbid reading another
        # process's memory.
        "OMPI_MCA_plm": "isolated",
        "OMPI_MCA_btl": "self,vader",
        "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
        "OMPI_MCA_oob_tcp_if_include": "lo",
        "OMPI_MCA_pml": "ob1",
        "OMPI_MCA_rmaps_base_oversubscribe": 1,
        "OMPI_MCA_hwloc_base_binding_policy": "none",
        "NCCL_SOCKET_IFNAME": "lo",
    }
    return {**os.environ, **{name: str(value) for name, value in values.items()}}


def why_no_gpu():
    """What the driver says; empty where there is a GPU."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        return f"no GPU ({error})"
    count = ctypes.c_int()
    status = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if status != 0:
        return f"no GPU (the driver gives error {status})"
    return "" if count.value > 0 else "no GPU (the driver finds none)"


def on_ranks(ranks, device, *command):
    """The words that start a program of the bundle on so many ranks; on CUDA all of them
    share the GPU."""
    shared = ["rank"] if device == "CUDA" else []
    return ["mpirun", "-q", "-np", str(ranks), *shared, *map(str, command)]


def run(command, env):
    """Runs a command; (exit status, all that it printed, seconds)."""
    begin = time.monotonic()
    limited = ["timeout", "--kill-after=10", str(TIME_LIMIT_SECONDS), *command]
    plain = {**env, "GTEST_COLOR": "no", "NO_COLOR": "1"}
    done = subprocess.run(limited, env=plain, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    output = done.stdout
    if done.returncode in (124, 137):
        output += f"ended after {TIME_LIMIT_SECONDS} s, the limit\n"
    return done.returncode, output, time.monotonic() - begin


def say(verdict, name, detail=""):
    """The line of a check."""
    print(f"{verdict:8} {name}" + (f": {detail}" if detail else ""), flush=True)


def say_failed(name, why, output):
    say("FAILED", name, why)
    for line in output.splitlines()[-LINES_OF_A_FAILURE:]:
        print(f"         | {line}", flush=True)


# --- Checks ------------------------------------------------------------------


class Checks:
    """Runs those that have one of the words in their names, and keeps whether all held."""

    def __init__(self, words, env):
        self.held = True
        self._words = words
        self._env = env
        self._no_gpu = why_no_gpu()
        self._digests = {}  # of the first training of each kind

    def program(self, name, ranks, device):
        """A test program on so many ranks; that of the gpu room has its GPU from us."""
        title = f"{name} {device}, {count_of(ranks)}"
        chosen = ["env", "LOCKSTEP_TEST_DEVICE=cuda"] if device == "CUDA" else []
        if self._starts(title, device, name):
            self._judge(title, on_ranks(ranks, device, *chosen, name, "--gtest_brief=1"),
                        summary_of_tests)

    def training(self, device, precision, ranks):
        """An epoch, which gives the same weights on any number of ranks."""
        title = f"train {device} {precision}, {count_of(ranks)}"
        if not self._starts(title, device, "lockstep"):
            return

        def judge(output):
            digest = digest_of(output)
            expected = self._digests.setdefault((device, precision), digest)
            if digest != expected:
                raise ValueError(f"{digest}, but another number of ranks gave {expected}")
            return digest

        with tempfile.TemporaryDirectory() as folder:
            command = on_ranks(ranks, device, "lockstep", "train", EXPERIMENT, "--run-dir",
                               folder, "--set", f"device={device}", "--set",
                               "training.epochs=1", "--set",
                               f"training.precision={precision}")
            self._judge(title, command, judge)

    def _starts(self, title, device, program):
        """Whether it is asked for and can run; says so where it cannot."""
        if self._words and not any(word in title for word in self._words):
            return False
        why = ""
        if not (BIN / program).exists():
            why = f"{program} is not in this bundle"
        elif device == "CUDA":
            why = self._no_gpu
        if why:
            say("not run", title, why)
        return not why

    def _judge(self, title, command, judge):
        status, output, seconds = run(command, self._env)
        try:
            if status != 0:
                raise ValueError(f"exit status {status}")
            say("ok", title, f"{judge(output)}, {seconds:.1f} s")
        except ValueError as error:
            self.held = False
            say_failed(title, error, output)


def count_of(ranks):
    return "1 rank" if ranks == 1 else f"{ranks} ranks"


def digest_of(output):
    found = re.search(r"^weights (xxh3:[0-9a-f]{32})$", output, re.MULTILINE)
    if not found:
        raise ValueError("no digest of the weights in what it printed")
    return found[1]


def summary_of_tests(output):
    """What GoogleTest says at the end; a program without a test that ran has not passed."""
    passed = re.search(r"\[  PASSED  \] (\d+) tests?", output)
    if not passed or passed[1] == "0":
        raise ValueError("no test ran")
    skipped = re.search(r"\[  SKIPPED \] (\d+) tests?", output)
    return f"{passed[1]} tests passed" + (f", {skipped[1]} skipped" if skipped else "")


def check(options, env):
    checks = Checks(options.words, env)
    for ranks in RANKS:
        checks.program("gpu_rank_tests", ranks, "CUDA")
    for name in ("comm_rank_tests", "parallel_rank_tests", "gpu_rank_tests"):
        for ranks in RANKS:
            checks.program(name, ranks, "CPU")
    for device in ("CUDA", "CPU"):
        for precision in PRECISIONS:
            for ranks in RANKS:
                checks.training(device, precision, ranks)
    return checks.held


# --- Times -------------------------------------------------------------------


def peers(device):
    """Settings of PyTorch, by what a line calls them."""
    cuda = ["--device", device.lower()]
    best = [*cuda, "--precision", "bf16", "--layout", "channels-last"]
    named = {"eager FP32": cuda, "eager BF16, channels last": best}
    if device == "CUDA":
        named["CUDA graph BF16, channels last"] = [*best, "--mode", "graph"]
        named["compiled CUDA graph BF16, channels last"] = [*best, "--mode", "compile-graph"]
    return named


def bench(options, env):
    """Lockstep and PyTorch, one after the other. PyTorch has the environment of the
    machine, without the bundle's libraries."""
    device, steps = options.device, str(options.steps)
    runs = []
    for precision in PRECISIONS:
        command = on_ranks(1, device, "lockstep", "bench", EXPERIMENT, "--steps", steps,
                           "--json", "--set", f"device={device}", "--set",
                           f"training.precision={precision}")
        runs.append((f"Lockstep {device}, {precision}", command, env))
        if device == "CUDA":
            runs.append((f"Lockstep {device}, {precision}, rows streamed", command,
                         {**env, "LOCKSTEP_GPU_DATA_MEMORY": "0"}))
    threads = ["--threads", str(len(os.sched_getaffinity(0)))]
    for name, settings in peers(device).items():
        command = [sys.executable, str(BUNDLE / "torch_peer.py"), "step", "--steps", steps,
                   *threads, *settings]
        runs.append((f"PyTorch {device}, {name}", command, os.environ))
    results = [say_step_time(*each) for each in runs]
    return all(results)


def say_step_time(name, command, env):
    status, output, _ = run(command, env)
    try:
        lines = [line for line in output.splitlines() if line.startswith("{")]
        result = json.loads(lines[-1])
        detail = "{:.3f} ms a step, {:,.0f} images/s".format(
            result["seconds_per_step"] * 1000, result["images_per_second"])
    except (IndexError, KeyError, ValueError):
        say_failed(name, f"no time in what it printed, exit status {status}", output)
        return False
    say("ok", name, detail)
    return True


def start(options, env):
    """The whole command, as run from a shell."""
    name = f"start to {ACCURACY:.2%} on {options.device}"
    with tempfile.TemporaryDirectory() as folder:
        status, output, seconds = run(
            on_ranks(1, options.device, "lockstep", "train", EXPERIMENT, "--run-dir", folder,
                     "--set", f"device={options.device}"), env)
    best = re.search(r"^best val_accuracy: ([0-9.]+)", output, re.MULTILINE)
    if status != 0 or not best:
        say_failed(name, f"exit status {status}", output)
        return False
    detail = f"{seconds:.2f} s, best validation accuracy {float(best[1]):.2%}"
    held = float(best[1]) >= ACCURACY
    say("ok" if held else "FAILED", name, detail)
    return held


def main():
    if sys.argv[1:2] == ["--"] and len(sys.argv) > 2:
        env = environment()
        os.environ["PATH"] = env["PATH"]  # where execvpe looks
        try:
            os.execvpe(sys.argv[2], sys.argv[2:], env)
        except OSError as error:
            sys.exit(f"run: {sys.argv[2]}: {error.strerror}")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    works = parser.add_subparsers(required=True, metavar="check | bench | start")
    checking = works.add_parser("check")
    checking.add_argument("words", nargs="*", metavar="WORD")
    checking.set_defaults(work=check)
    for work in (bench, start):
        timing = works.add_parser(work.__name__)
        timing.add_argument("--device", choices=("CUDA", "CPU"), default="CUDA")
        timing.set_defaults(work=work)
        if work is bench:
            timing.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    if getattr(options, "device", "CPU") == "CUDA" and (why := why_no_gpu()):
        sys.exit(f"run: {why}; or give --device CPU")
    env = environment()
    os.environ["PATH"] = env["PATH"]  # where subprocess looks
    sys.exit(0 if options.work(options, env) else 1)


if __name__ == "__main__":
    main()
