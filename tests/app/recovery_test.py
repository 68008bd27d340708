"""What a run does by itself when it cannot go on, and how it says so: gradients that are
not finite, a second job in its folder, a checkpoint of a newer version, a signal that
comes early, a rank that is stuck in long work."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest
from pathlib import Path

from lockstep_run import BINARY, MPIRUN, TIME_LIMIT_SECONDS, LockstepTest, xxh3

EXIT_USAGE, EXIT_DIVERGED, EXIT_PEER, EXIT_RESTART = 2, 3, 4, 75

# Two layers without normalization or bound, so that after an update with a rate of 1e30
# their product is beyond fp32.
DIVERGING = ("--set", "optimizer.sgd.learning_rate=1e30", "--set", "training.log_every_steps=1")
PLAIN = """
name: "plain"
seed: 7
data { train { path: "%(train)s" } shape { height: 12 width: 12 channels: 1 } classes: 5 }
model { layer { flatten {} } layer { dense { units: 7 } } layer { dense { units: 5 } } }
training { global_batch: 48 lanes: 5 epochs: 2 }
"""


class RecoveryTest(LockstepTest):
    def arguments(self, run, *more, experiment=None):
        return ("train", experiment or self.experiment, "--run-dir", self.folder / run,
                "--threads", 1, "--set", "training.log_every_steps=1", *more)

    def status(self, run):
        path = self.folder / run / "status.json"
        return json.loads(path.read_text()) if path.exists() else None


class DivergenceTest(RecoveryTest):
    """Which lane is first to have a gradient that is not finite does not depend on the
    ranks: lane 0, on rank 0."""

    def diverge(self, run, ranks, *more):
        experiment = self.write_experiment("plain.textproto", text=PLAIN)
        done = self.run_binary(*self.arguments(run, *DIVERGING, *more, experiment=experiment),
                               ranks=ranks)
        self.assertEqual(done.returncode, EXIT_DIVERGED, done.stderr)
        status = self.status(run)
        self.assertEqual(status["state"], "diverged")
        self.assertEqual("lockstep: " + status["reason"], done.stderr.splitlines()[-1])
        return done.stderr

    def test_without_a_checkpoint(self):
        for ranks in (1, 2, 3):
            with self.subTest(ranks=ranks):
                errors = self.diverge(f"none-{ranks}", ranks)
                self.assertRegex(errors, (
                    r'^lockstep: training diverged at step 4: 3 steps in a row had gradients that '
                    r'are not finite \(first "1\.dense\.weight" in lane 0 on rank 0\), and there '
                    r'is no checkpoint to go back to; [^\n]*1e\+30[^\n]*\n$'))
                steps = [line["step"] for line in self.metrics(f"none-{ranks}")]
                self.assertEqual(steps, [1, 2, 3])

    def test_back_to_a_checkpoint_in_vain(self):
        for ranks in (1, 2, 3):
            with self.subTest(ranks=ranks):
                run = f"back-{ranks}"
                errors = self.diverge(run, ranks, "--set", "checkpoint.every_steps=1").splitlines()
                self.assertEqual(len(errors), 2, errors)
                self.assertRegex(errors[0], r"^lockstep: step 4: .*rank 0.*; back to step 1 with "
                                 r"the learning rate halved$")
                self.assertRegex(errors[1], r"^lockstep: training diverged at step 4: .*rank 0")
                lines = self.metrics(run)  # those of the first time are gone
                self.assertEqual([line["step"] for line in lines], [1, 2, 3])
                rates = [line["learning_rate"] / 1e30 for line in lines]
                for rate, expected in zip(rates, (1, 0.5, 0.5)):
                    self.assertAlmostEqual(rate, expected, places=6)
                # A resume knows that it has gone back already.
                done = self.run_binary("train", self.folder / "plain.textproto", *DIVERGING,
                                       "--run-dir", self.folder / run, ranks=ranks)
                self.assertEqual(done.returncode, EXIT_DIVERGED, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)


class StatusTest(RecoveryTest):
    def test_saved(self):
        hold = self.hold("step", 20)
        job = self.start(*self.arguments("saved"), ranks=2, holds=[hold])
        hold.reached(job)
        job.send(signal.SIGUSR1)
        hold.go_on(after=signal.SIGUSR1)
        done = job.end()
        self.assertEqual(done.returncode, EXIT_RESTART, done.stderr)
        status = self.status("saved")
        self.assertEqual(status["state"], "saved")
        self.assertRegex(status["reason"], r"^saved at step \d+ and ended on request$")
        self.assertEqual(status["step"], self.metrics("saved")[-1]["step"])

    @unittest.skipUnless(shutil.which("strace"), "strace is not installed")
    def test_failed(self):
        folder = self.folder / "failed" / "checkpoints"
        before = ["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=fsync", "-e",
                  "inject=fsync:error=EIO", "-P", folder / ".tmp-step-00000034"]
        done = self.run_binary(*self.arguments("failed"), ranks=None, before=before)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(self.status("failed")["state"], "failed")
        self.assertEqual("lockstep: " + self.status("failed")["reason"],
                         done.stderr.splitlines()[-1])


class TwoJobsTest(RecoveryTest):
    def test_second_job_is_refused(self):
        hold = self.hold("step", 20)
        job = self.start(*self.arguments("shared"), ranks=2, holds=[hold],
                         LOCKSTEP_HARD_LIMIT_SECONDS="600", LOCKSTEP_SOFT_LIMIT_SECONDS="600")
        holder = hold.reached(job)
        folder = self.folder / "shared"
        by_path = ("train", self.experiment, "--resume", folder)
        for arguments, ranks in ((self.arguments("shared"), 3), (by_path, None),
                                 (self.arguments("shared", "--resume", "never"), None)):
            done = self.run_binary(*arguments, ranks=ranks)
            self.assertEqual(done.returncode, EXIT_USAGE, done.stderr)
            self.assertEqual(done.stderr, (
                f"lockstep: {folder}: another job trains in this run folder (process {holder} on "
                f"{os.uname().nodename}); end it first, or give another --run-dir\n"))
        job.send(signal.SIGUSR1)
        hold.go_on(after=signal.SIGUSR1)
        done = job.end()
        self.assertEqual((done.returncode, done.stderr), (EXIT_RESTART, ""))
        steps = [line["step"] for line in self.metrics("shared") if line["kind"] == "step"]
        self.assertEqual(steps, list(range(1, len(steps) + 1)))

    def test_lock_of_a_killed_job_is_free(self):
        hold = self.hold("step", 20)
        job = self.start(*self.arguments("killed"), ranks=None, holds=[hold])
        hold.reached(job)
        job.send(signal.SIGKILL)
        job.end()
        done = self.run_binary(*self.arguments("killed", "--resume", "never"), ranks=None)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class BegunAnewTest(RecoveryTest):
    def test_nothing_is_left_of_the_run_before(self):
        self.lockstep(*self.arguments("anew"))
        folder = self.folder / "anew"
        before = {path.name for path in folder.iterdir()}
        self.assertIn("report.html", before)
        (folder / "notes.txt").write_text("mine")
        hold = self.hold("step", 1)
        job = self.start(*self.arguments("anew", "--resume", "never"), ranks=None, holds=[hold])
        hold.reached(job)
        job.send(signal.SIGKILL)
        job.end()
        left = {path.name for path in folder.iterdir()}
        begun = {"checkpoints", "environment.json", "experiment.textproto", "lock", "logs",
                 "metrics.jsonl", "status.json", "tensorboard"}
        self.assertEqual(left - begun, {"notes.txt"})


class NewerFormatTest(RecoveryTest):
    def test_is_refused_and_left_alone(self):
        self.lockstep(*self.arguments("newer"))
        folder = self.folder / "newer" / "checkpoints" / "step-00000034"
        manifest = json.loads((folder / "manifest.json").read_text())
        self.assertEqual(manifest["format"], 1)
        manifest["format"] = 2
        del manifest["xxh3"]
        manifest["xxh3"] = xxh3(json.dumps(manifest, indent=2).encode())
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
        for ranks in (None, 2):
            done = self.run_binary(*self.arguments("newer"), ranks=ranks)
            self.assertEqual(done.returncode, EXIT_USAGE, done.stderr)
            self.assertEqual(done.stderr, f"lockstep: {folder}: written by a newer Lockstep, "
                             "format 2; this one reads up to 1\n")
        self.assertTrue(folder.exists())
        self.assertEqual(list(folder.parent.glob("*.bad")), [])


@unittest.skipUnless(shutil.which("strace"), "strace is not installed")
class UnreadableCheckpointTest(RecoveryTest):
    def test_is_left_alone(self):
        """It may be whole: the disk, not the checkpoint, has the fault."""
        self.lockstep(*self.arguments("unreadable"))
        newest = self.folder / "unreadable" / "checkpoints" / "step-00000034"
        for calls, error, reason, status in (
                ("read", "EIO", "Input/output error", 1),
                ("openat", "EIO", "Input/output error", 1),
                ("stat,newfstatat,statx", "ESTALE", "Stale file handle", 1),
                ("openat", "EACCES", "Permission denied", EXIT_USAGE)):
            with self.subTest(calls=calls, error=error):
                before = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={calls}", "-e",
                          f"inject={calls}:error={error}", "-P", newest / "weights.safetensors"]
                done = self.run_binary(*self.arguments("unreadable"), ranks=None, before=before)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertRegex(done.stderr, rf"\Alockstep: [^\n]*{reason}\n\Z")
                self.assertTrue(newest.exists())
        self.assertEqual(self.run_binary(*self.arguments("unreadable")).returncode, 0)


class EarlySignalTest(RecoveryTest):
    def test_signal_before_mpi_has_started(self):
        # Rank 0 waits in MPI_Init for rank 1, which begins when it may.
        gate = self.folder / "gate"
        os.mkfifo(gate)
        late = f'read -r line <"{gate}"; exec "$@"'
        words = [BINARY, *map(str, self.arguments("early"))]
        process = subprocess.Popen(
            [*MPIRUN, "-np", "1", *words, ":", "-np", "1", "sh", "-c", late, "sh", *words],
            cwd=self.folder, env=self.environment(), text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            rank = self.wait_for_handler(process)
            os.kill(rank, signal.SIGUSR1)
        finally:
            gate.write_text("now\n")
        output, errors = process.communicate(timeout=TIME_LIMIT_SECONDS)
        self.assertEqual((process.returncode, errors), (EXIT_RESTART, ""), output)
        self.assertEqual([line["step"] for line in self.metrics("early")], [1])

    def wait_for_handler(self, process):
        """Until rank 0 is there and catches USR1; its process."""
        end = time.monotonic() + TIME_LIMIT_SECONDS
        while time.monotonic() < end and process.poll() is None:
            for child in Path(f"/proc/{process.pid}/task").glob("*/children"):
                for pid in child.read_text().split():
                    status = Path(f"/proc/{pid}/status").read_text()
                    caught = int(re.search(r"^SigCgt:\s*(\w+)", status, re.MULTILINE)[1], 16)
                    name = re.search(r"^Name:\s*(\S+)", status)[1]
                    if name == "lockstep" and caught >> (signal.SIGUSR1 - 1) & 1:
                        return int(pid)
            time.sleep(0.01)
        self.fail(f"rank 0 did not catch USR1: {process.communicate()}")


class LongWorkTest(RecoveryTest):
    """Rank 0 is held where it writes the reports."""

    def start_held(self, run, **limits):
        hold = self.hold("report")
        return hold, self.start(*self.arguments(run), ranks=2, holds=[hold],
                                LOCKSTEP_HARD_LIMIT_SECONDS="8", **limits)

    def test_stopped_process_is_not_waited_for(self):
        hold, job = self.start_held("stopped")
        hold.reached(job)
        done = job.end()
        self.assertEqual(done.returncode, EXIT_PEER, done.stderr)
        self.assertRegex(done.stderr, r"waited \d+ s in: [^;]+; late: rank 0 on ")

    def test_announced_work_may_outlast_the_hard_limit(self):
        hold, job = self.start_held("slow")
        log = self.folder / "slow" / "logs" / "rank-1.log"
        self.assertTrue(job.wait_until(  # said where the hard limit is past
            lambda: log.exists() and "waiting for 8 s in" in log.read_text()))
        hold.reached(job)
        hold.go_on()
        done = job.end()
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_but_not_the_limit_of_long_work(self):
        _, job = self.start_held("stuck", LOCKSTEP_LONG_WORK_LIMIT_SECONDS="10")
        done = job.end()
        self.assertEqual(done.returncode, EXIT_PEER, done.stderr)
        self.assertRegex(done.stderr, r"waited \d+ s in: [^;]+; late: rank 0 on .*last seen in: "
                         r"writing the reports")


if __name__ == "__main__":
    unittest.main()
