"""Checkpoints in the memory of hosts: a job that lost a rank goes on from there."""

import os
import signal
import sys
import unittest
from pathlib import Path

from lockstep_run import LockstepTest, xxh3

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "launcher"))

from message_folder import sweep_message_folders  # noqa: E402

EVERY = 4
# Rank 1 comes to the step after so many once rank 0 has handed in the checkpoint of step 12, which
# it does when that of step 8 is written: one of the two is there, without a wait.
HELD = 13
AFTER = "going on after step (8|12),"


def memory_folder(run):
    return Path(f"/dev/shm/checkpoints-of-lockstep-{os.geteuid()}-{xxh3(str(run.resolve()).encode())}")


@unittest.skipUnless(os.access("/dev/shm", os.W_OK), "needs /dev/shm")
class MemoryCheckpointTest(LockstepTest):
    def arguments(self, run):
        return ("train", self.experiment, "--run-dir", run, "--threads", 1,
                "--set", f"checkpoint.in_memory_every_steps={EVERY}",
                "--set", "training.log_every_steps=1")

    def lose_a_rank(self, run):
        """Kills rank 1 at a step when a checkpoint before it is in memory; that one."""
        held = self.hold("step", HELD, rank=1)
        job = self.start(*self.arguments(run), ranks=2, holds=(held,))
        held.reached(job)
        os.kill(held.process, signal.SIGKILL)
        self.assertNotEqual(job.end().returncode, 0)
        newest = sorted((memory_folder(run) / "checkpoints").glob("step-*"))[-1]
        self.assertIn(newest.name, ("step-00000008", "step-00000012"))
        # The run's own has none yet: its first is that of the first epoch's end.
        self.assertEqual(list((run / "checkpoints").glob("step-*")), [])
        return newest

    def go_on(self, run, ranks):
        """The same command again; what came of it, and what it said."""
        done = self.run_binary(*self.arguments(run), ranks=ranks)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(memory_folder(run).exists())
        return self.outcome(run, self.digest_of(done)), done.stdout

    def expected(self):
        run = self.folder / "whole"
        done = self.run_binary(*self.arguments(run), ranks=None)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.outcome(run, self.digest_of(done))

    def test_a_lost_rank(self):
        expected = self.expected()
        for ranks in (2, 3):
            with self.subTest(ranks=ranks):
                run = self.folder / f"lost-{ranks}"
                newest = self.lose_a_rank(run)
                sweep_message_folders()  # as the launcher does before each start
                self.assertTrue(newest.is_dir())
                steps = [line["step"] for line in self.metrics(run)]
                self.assertGreaterEqual(steps[-1], HELD - 1)
                outcome, said = self.go_on(run, ranks)
                self.assert_same_outcome(outcome, expected)
                self.assertRegex(said, AFTER)

    def test_a_lost_host(self):
        """Its memory is gone with it: from the disk, which has nothing."""
        run = self.folder / "host"
        newest = self.lose_a_rank(run)
        for path in sorted(memory_folder(run).rglob("*"), reverse=True):
            path.unlink() if not path.is_dir() else path.rmdir()
        self.assertFalse(newest.exists())
        outcome, said = self.go_on(run, 2)
        self.assertNotIn("going on after", said)
        self.assert_same_outcome(outcome, self.expected())

    def test_a_damaged_one(self):
        """Is not used: the one before it is."""
        run = self.folder / "damaged"
        newest = self.lose_a_rank(run)
        for each in newest.parent.glob("step-*"):
            weights = each / "weights.safetensors"
            weights.write_bytes(weights.read_bytes()[:-1])
        outcome, said = self.go_on(run, 2)
        self.assertNotIn("going on after", said)
        self.assert_same_outcome(outcome, self.expected())

    def test_another_start(self):
        """Is not the latest checkpoint's."""
        run = self.folder / "anew"
        self.lose_a_rank(run)
        done = self.run_binary(*self.arguments(run), "--resume", "never", ranks=2)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(memory_folder(run).exists())
        self.assert_same_outcome(self.outcome(run, self.digest_of(done)), self.expected())

    def test_another_run_in_the_folder(self):
        """Whose settings differ does not go on with the weights of the one before."""
        run = self.folder / "other"
        newest = self.lose_a_rank(run)
        changed = ("--set", "optimizer.adam.learning_rate=0.02")
        off = ("--set", "checkpoint.in_memory_every_steps=0", "--resume", "never")
        held = self.hold("step", 2, rank=0)
        job = self.start(*self.arguments(run), *changed, *off, ranks=2, holds=(held,))
        held.reached(job)
        os.kill(held.process, signal.SIGKILL)
        job.end()
        self.assertTrue(newest.is_dir())
        done = self.run_binary(*self.arguments(run), *changed, ranks=2)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("going on after", done.stdout)

    def test_the_folder_by_path(self):
        """--resume RUN goes on from memory too."""
        run = self.folder / "path"
        self.lose_a_rank(run)
        words = [word for word in self.arguments(run) if word not in ("--run-dir", run)]
        done = self.run_binary(*words, "--resume", run, ranks=2)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, AFTER)

    def test_a_link_in_its_place(self):
        run = self.folder / "link"
        run.mkdir()
        folder = memory_folder(run)
        folder.symlink_to(self.folder)
        self.addCleanup(folder.unlink)
        done = self.run_binary(*self.arguments(run), ranks=2)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{folder}: is not a folder of this user alone; remove it", done.stderr)


if __name__ == "__main__":
    unittest.main()
