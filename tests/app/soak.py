#!/usr/bin/env python3
"""Ends runs at random moments and starts them again, for a long time.

    tests/app/soak.py [--minutes N] [--seed N]

A rank is killed (KILL), the job is asked to save and end (USR1), or a rank is stopped
for a moment (STOP, CONT); then the run goes on with another number of ranks. A run that
comes to its end must have the weights of the undisturbed run. The last fifth of the time
is one run without a fault, whose memory must not grow. LOCKSTEP names the binary;
without it that is build/lockstep.
"""

import argparse
import os
import random
import re
import signal
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
os.environ.setdefault("LOCKSTEP", str(ROOT / "build" / "lockstep"))
sys.path.insert(0, str(ROOT / "tests" / "support"))

from lockstep_run import LockstepTest  # noqa: E402

EPOCHS = 300
GROWTH_LIMIT = 0.01
# Done; a peer failed; saved; killed by KILL, or by USR1 before a handler was set.
EXIT_CODES = (0, 4, 75, 137, 138)


class Soak(LockstepTest):
    def arguments(self, run, epochs):
        return ("train", self.experiment, "--run-dir", self.folder / run, "--threads", 1,
                "--set", f"training.epochs={epochs}", "--set", "checkpoint.every_steps=5")

    def disturb(self, job, numbers):
        """Waits, then does something to the job, if it is still there; what that was."""
        time.sleep(4 * numbers.random())
        what = numbers.choice(("KILL", "USR1", "STOP"))
        if what == "USR1":
            return what if job.send(signal.SIGUSR1) else "none"
        rank = numbers.randrange(job.ranks)
        if not job.send(signal.SIGKILL if what == "KILL" else signal.SIGSTOP, rank):
            return "none"
        if what == "STOP":
            time.sleep(numbers.random())
            job.send(signal.SIGCONT, rank)
        return what

    def run_with_faults(self, run, numbers, end_time):
        """Starts the run until it is done or the time is over: what was done to it and
        how it took that, counted; and the digest, None if it is not done."""
        counts = Counter()
        while time.monotonic() < end_time:
            job = self.start(*self.arguments(run, EPOCHS), ranks=numbers.choice((1, 2, 3)))
            what = self.disturb(job, numbers)
            done = job.end()
            counts[f"{what}: exit {done.returncode}"] += 1
            self.assertIn(done.returncode, EXIT_CODES, done.stderr)
            if done.returncode == 0:
                return counts, self.digest_of(done)
        return counts, None

    def memory_growth(self, seconds):
        """Runs without a fault for so long; by what part each rank's memory grew after a
        tenth of the time."""
        job = self.start(*self.arguments("long", 1_000_000), ranks=2)
        time.sleep(max(seconds / 10, 3))
        before = [self.memory_kib(job, rank) for rank in range(2)]
        time.sleep(0.9 * seconds)
        after = [self.memory_kib(job, rank) for rank in range(2)]
        job.send(signal.SIGUSR1)
        done = job.end()
        self.assertEqual(done.returncode, 75, done.stderr)
        return [b / a - 1 for a, b in zip(before, after)]

    @staticmethod
    def memory_kib(job, rank):
        status = Path(f"/proc/{job.rank_process(rank)}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])

    def soak(self, minutes, seed):
        numbers = random.Random(seed)
        begin = time.monotonic()
        expected = self.digest_of(self.lockstep(*self.arguments("whole", EPOCHS)))
        counts = Counter()
        runs = 0
        while time.monotonic() < begin + 48 * minutes:
            more, digest = self.run_with_faults(f"run-{runs}", numbers, begin + 48 * minutes)
            counts += more
            if digest is not None:
                self.assertEqual(digest, expected, f"run {runs}")
                runs += 1
        print(f"{runs} runs came to their end with the right weights, {counts.total()} starts:")
        for name, count in sorted(counts.items()):
            print(f"  {count:5} {name}")
        growth = self.memory_growth(12 * minutes)
        shares = ", ".join(f"{each:.2%}" for each in growth)
        print(f"memory of an undisturbed run of {12 * minutes:g} s grew by {shares} of a rank's")
        self.assertLess(max(growth), GROWTH_LIMIT)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    Soak.setUpClass()
    try:
        Soak().soak(options.minutes, options.seed)
    finally:
        Soak.doClassCleanups()


if __name__ == "__main__":
    main()
