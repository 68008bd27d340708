"""Runs the real binary, with and without mpirun, on small data sets and experiments."""

import contextlib
import ctypes
import ctypes.util
import json
import os
import random
import re
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

BINARY = os.environ["LOCKSTEP"]
# Without the last setting mpirun sleeps for a second after a run that failed.
MPIRUN_OF_USERS = "mpirun -q --oversubscribe --bind-to none --mca pml ob1".split()
MPIRUN = [*MPIRUN_OF_USERS, "--mca", "odls_base_sigkill_timeout", "0"]
TIME_LIMIT_SECONDS = 400  # of a run that hangs

SIDE = 12
PIXELS = SIDE * SIDE
CLASSES = 5
ROWS = 997

# In memory where that can be had: runs that save all the time would wait for the disk.
TEMPORARY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

# What differs between two runs that are otherwise the same.
TIMES = ("images_per_second", "seconds", "slowest_rank", "slowest_excess", "slowest_for")

EXPERIMENT = """
name: "tiny"
seed: 7
data {
  train { path: "%(train)s" }
  test { path: "%(test)s" }
  shape { height: 12 width: 12 channels: 1 }
  classes: 5
  validation { fraction: 0.2 stratified: true }
  augmentation { rotation_degrees: 5 translation_pixels: 1 scale: 0.05 }
}
model {
  layer { conv { filters: 6 activation: RELU } }
  layer { batch_norm {} }
  layer { max_pool { size: 2 } }
  layer { dropout { rate: 0.2 } }
  layer { flatten {} }
  layer { dense { units: 16 activation: RELU } }
  layer { dropout { rate: 0.1 } }
  layer { dense { units: 5 } }
}
training { global_batch: 48 lanes: 5 epochs: 2 log_every_steps: 4 }
optimizer { adam { learning_rate: 0.01 } }
"""


def images(rows=ROWS, seed=1):
    """(label, pixels) of each row: a bright bar whose place is the class, and noise."""
    numbers = random.Random(seed)
    made = []
    for _ in range(rows):
        label = int(numbers.random() * CLASSES)
        pixels = [int(numbers.random() * 160) for _ in range(PIXELS)]
        first = 1 + 2 * label  # the bar's upper row
        for y in range(first, first + 2):
            for x in range(2, SIDE - 2):
                pixels[y * SIDE + x] = 60 + int(numbers.random() * 160)
        made.append((label, pixels))
    return made


def csv_text(rows, labelled=True):
    """The rows as CSV in the layout of the digit recognizer's files."""
    columns = [f"pixel{i}" for i in range(PIXELS)]
    lines = [",".join((["label"] if labelled else []) + columns)]
    for label, pixels in rows:
        lines.append(",".join(map(str, ([label] if labelled else []) + pixels)))
    return "\n".join(lines) + "\n"


def processor_flags():
    flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return flags[1].split() if flags else []


def has_avx2():
    """Whether the program has kernels of its own for all of fp32 on this processor."""
    return {"avx2", "fma"} <= set(processor_flags())


def has_bf16():
    """Whether the program computes in BF16 on this processor."""
    return (os.environ.get("LOCKSTEP_MAX_ISA", "AMX") in ("AVX512_BF16", "AMX")
            and "avx512_bf16" in processor_flags())


def has_amx():
    """Whether the program has kernels of tiles for this processor."""
    return {"amx_tile", "amx_bf16", "avx512_bf16"} <= set(processor_flags())


NO_BF16 = ("lockstep: training.precision is BF16, but this processor has no bf16 instructions "
           "(AVX512-BF16): training in FP32\n")


def without_bf16_notice(stderr):
    """What a training in BF16 says besides, where the processor has none."""
    return stderr if has_bf16() else stderr.removeprefix(NO_BF16)


class _Hash128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


def xxh3(content):
    """The XXH3-128 digest of bytes, in hex, by the library itself."""
    function = ctypes.CDLL(ctypes.util.find_library("xxhash")).XXH3_128bits
    function.restype = _Hash128
    function.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    digest = function(bytes(content), len(content))
    return f"{digest.high:016x}{digest.low:016x}"


class LockstepTest(unittest.TestCase):
    """A test with a folder of its own and the data sets in it."""

    place = TEMPORARY  # of the folder

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(dir=cls.place)
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.train_rows = images()
        cls.test_rows = images(rows=301, seed=2)
        cls.train_csv = cls.write("train.csv", csv_text(cls.train_rows))
        cls.test_csv = cls.write("test.csv", csv_text(cls.test_rows, labelled=False))
        cls.experiment = cls.write_experiment("tiny.textproto")

    @classmethod
    def write(cls, name, content):
        path = cls.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    @classmethod
    def write_experiment(cls, name, train=None, text=EXPERIMENT):
        paths = {"train": train or cls.train_csv, "test": cls.test_csv}
        return cls.write(name, text % paths)

    @classmethod
    def environment(cls):
        environment = dict(os.environ, LOCKSTEP_ROOT=str(cls.folder))
        environment.setdefault("OMPI_ALLOW_RUN_AS_ROOT", "1")
        environment.setdefault("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
        return environment

    @classmethod
    def run_binary(cls, *arguments, ranks=1, before=()):
        """Runs the binary in the test's folder; ranks=None starts it without mpirun.
        `before` are words before the binary."""
        command = [] if ranks is None else MPIRUN + ["-np", str(ranks)]
        return subprocess.run(
            [*command, *before, BINARY, *map(str, arguments)],
            cwd=cls.folder, env=cls.environment(), capture_output=True, text=True,
            timeout=TIME_LIMIT_SECONDS)

    def start(self, *arguments, ranks=1, holds=(), **environment):
        """Starts the binary as run_binary() does, and gives it back while it runs. Each of
        `holds` stops a rank at its moment."""
        if holds:
            environment["LOCKSTEP_HOLD"] = ",".join(hold.text for hold in holds)
        return RunningJob(arguments, ranks, self.folder, self.environment() | environment)

    def hold(self, point, number="*", rank=0):
        """A moment for start()."""
        LockstepTest.count_of_holds += 1
        return Hold(self.folder / f"hold-{LockstepTest.count_of_holds}", point, number, rank)

    count_of_holds = 0

    def lockstep(self, *arguments, ranks=1):
        """The same for a run that must succeed."""
        done = self.run_binary(*arguments, ranks=ranks)
        self.assertEqual(done.returncode, 0, f"{arguments} on {ranks} ranks\n{done.stderr}")
        return done

    def train(self, run, *arguments, ranks=1, threads=1, experiment=None):
        """Trains into the run folder `run` and gives the digest of the last line."""
        done = self.lockstep("train", experiment or self.experiment, "--run-dir",
                             self.folder / run, "--threads", threads, *arguments, ranks=ranks)
        return self.digest_of(done)

    def digest_of(self, done):
        last = done.stdout.splitlines()[-1]
        self.assertRegex(last, r"^weights xxh3:[0-9a-f]{32}$")
        return re.fullmatch(r"weights xxh3:(.*)", last)[1]

    def metrics(self, run):
        lines = (self.folder / run / "metrics.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def outcome(self, run, digest):
        """Everything a run leaves that must not depend on how often it was ended and
        started again, on ranks or on threads."""
        metrics = [{key: value for key, value in line.items() if key not in TIMES}
                   for line in self.metrics(run)]
        folder = self.folder / run
        best = folder / "checkpoints" / "best"
        files = {name: (folder / name).read_bytes() for name in
                 ("experiment.textproto", "evaluation.json", "classification_report.txt")}
        return {"digest": digest, "metrics": metrics, "best epoch": best.readlink().name,
                "best weights": (best / "weights.safetensors").read_bytes(), **files}

    def assert_same_outcome(self, outcome, expected):
        for key, value in expected.items():
            self.assertTrue(outcome[key] == value, f"{key} differs")


def status_of(process, field):
    """What the system says of a process."""
    text = Path(f"/proc/{process}/status").read_text()
    return re.search(rf"^{field}:\s*(\S+)", text, re.MULTILINE)[1]


def is_pending(number, process):
    """Whether a signal waits for a process that is stopped."""
    return int(status_of(process, "ShdPnd"), 16) >> (number - 1) & 1


class Hold:
    """A moment of a run, as the step after `number` steps, that a rank does not pass before
    the test lets it go on. It waits there until the test asks for reached(); then its
    process is stopped."""

    def __init__(self, pipe, point, number, rank):
        os.mkfifo(pipe)
        self._path = pipe
        self._pipe = None
        self.text = f"{point}:{number}:{rank}:{pipe}"
        self.process = None

    def reached(self, job=None):
        """Waits until a process of the job (what poll() tells of) is stopped there; its id.
        Once more for another process."""
        if self._pipe is None:
            self._pipe = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        line = b""
        end = time.monotonic() + TIME_LIMIT_SECONDS
        while not line.endswith(b"\n"):
            if time.monotonic() > end or job and job.poll() is not None:
                raise AssertionError(f"{self.text} was not reached")
            with contextlib.suppress(BlockingIOError):
                line += os.read(self._pipe, 1)
            time.sleep(0 if line else 0.001)
        self.process = int(line)
        while status_of(self.process, "State")[0] != "T":
            time.sleep(0.001)
        return self.process

    def go_on(self, after=None, process=None):
        """Lets a process go on, by default the last one, once the signal `after` has come to it."""
        self.process = process or self.process
        while after is not None and not is_pending(after, self.process):
            time.sleep(0.001)
        os.kill(self.process, signal.SIGCONT)


class RunningJob:
    """A run that goes on while the test does something to it."""

    def __init__(self, arguments, ranks, folder, environment):
        command = [] if ranks is None else [*MPIRUN_OF_USERS, "-np", str(ranks)]
        self.ranks = ranks or 1
        self._process = subprocess.Popen(
            [*command, BINARY, *map(str, arguments)], cwd=folder, env=environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._direct = ranks is None

    def running(self):
        return self.poll() is None

    def poll(self):
        return self._process.poll()

    def rank_process(self, rank):
        """The process of a rank; None before it is there."""
        if self._direct:
            return self._process.pid
        mark = f"OMPI_COMM_WORLD_RANK={rank}\0".encode()
        try:
            for task in Path(f"/proc/{self._process.pid}/task").iterdir():
                for child in (task / "children").read_text().split():
                    if mark in Path(f"/proc/{child}/environ").read_bytes():
                        return int(child)
        except OSError:
            pass  # ended meanwhile
        return None

    def wait_until(self, condition):
        """Whether the condition, which stays true once it is, came true before the run ended."""
        end = time.monotonic() + TIME_LIMIT_SECONDS
        while self.running() and time.monotonic() < end:
            if condition():
                return True
            time.sleep(0.001)
        return bool(condition())

    def send(self, number, rank=None):
        """Signals a rank, or what was started (mpirun). False when it is not there."""
        process = self._process.pid if rank is None else self.rank_process(rank)
        if process is None or not self.running():
            return False
        try:
            os.kill(process, number)
        except ProcessLookupError:
            return False
        return True

    def end(self):
        """Waits for the end; what subprocess.run would give."""
        try:
            output, errors = self._process.communicate(timeout=TIME_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            for rank in range(self.ranks):
                self.send(signal.SIGKILL, rank)
            self._process.kill()
            self._process.communicate()
            raise
        return subprocess.CompletedProcess(self._process.args, self._process.returncode, output,
                                           errors)
