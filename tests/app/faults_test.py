"""A run that meets a fault goes on where it was: killed and stopped ranks, full disks."""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import unittest
import unittest.mock

from faults import FaultsTest, whole

EXIT_PEER = 4

STEPS_PER_EPOCH = 17
KILLED = ("--set", "training.epochs=12", "--set", "training.log_every_steps=1",
          "--set", "checkpoint.every_steps=5")


class KilledRankTest(FaultsTest):
    """30 kills: 10 runs of three each, at the start, in a step, in a save, in an
    evaluation."""

    def moment(self, kind, rank, last):
        """What the run is held at, which has done `last` steps before."""
        steps = {"step": last + self.random.randrange(1, 50),
                 "save": 5 * (last // 5 + self.random.randrange(1, 10)),  # by rank 0
                 "evaluation": STEPS_PER_EPOCH * (last // STEPS_PER_EPOCH + 1)}
        if kind == "start":
            return self.hold("connected", 0, rank)
        return self.hold(kind, steps[kind], 0 if kind == "save" else rank)

    def kill(self, run, kind):
        """Starts the run, kills one of its ranks, and looks how the others take it."""
        ranks = self.random.choice((2, 3))
        rank = self.random.randrange(ranks)
        hold = self.moment(kind, rank, self.last_step(run))
        job = self.start(*self.arguments(run, *KILLED), ranks=ranks, holds=[hold])
        held = hold.reached(job)
        if kind == "save":
            self.assertTrue(any((self.folder / run / "checkpoints").glob(".tmp-*")))
        killed = job.rank_process(rank)
        os.kill(killed, signal.SIGKILL)
        if held != killed:
            hold.go_on()
        done = job.end()
        self.assertNotEqual(done.returncode, 0)
        if kind != "start":  # the ranks may not have known of each other yet
            self.assertRegex(done.stderr, rf"^lockstep: rank {rank} on \S+ died \(process {killed}")

    def test_thirty_kills(self):
        self.random = random.Random(30)
        expected = self.reference("whole", *KILLED)
        kinds = ["step", "save", "evaluation"]
        for turn in range(10):
            run = f"run-{turn}"
            for kind in ("start", kinds[turn % 3], kinds[(turn + 1) % 3]):
                with self.subTest(run=run, kind=kind):
                    self.kill(run, kind)
            done = self.lockstep(*self.arguments(run, *KILLED), ranks=self.random.choice((1, 2, 3)))
            self.assert_same_outcome(self.outcome(run, self.digest_of(done)), expected)
            self.assertTrue(all(whole(each) for each in self.checkpoints(run)))
            leftovers = [path for path in (self.folder / run).rglob("*")
                         if "tmp" in path.name or path.name.endswith(".bad")]
            self.assertEqual(leftovers, [])


class StoppedRankTest(FaultsTest):
    def test_stopped_rank_ends_the_job(self):
        limits = {"LOCKSTEP_SOFT_LIMIT_SECONDS": "6", "LOCKSTEP_HARD_LIMIT_SECONDS": "8"}
        holds = {rank: self.hold("step", 10, rank) for rank in (0, 2)}
        jobs = {rank: self.start(*self.arguments(f"stopped-{rank}"), ranks=3, holds=[hold], **limits)
                for rank, hold in holds.items()}
        stopped = {rank: hold.reached(jobs[rank]) for rank, hold in holds.items()}
        for rank, job in jobs.items():
            with self.subTest(rank=rank):
                done = job.end()
                self.assertEqual(done.returncode, EXIT_PEER, done.stderr)
                self.assertRegex(done.stderr, r"waited \d+ s in: [^;]+; late: "
                                 rf"rank {rank} on \S+ \(process {stopped[rank]}")
                self.assertNotRegex(done.stderr, rf"late: (?!rank {rank} on )")
                status = json.loads((self.folder / f"stopped-{rank}" / "status.json").read_text())
                self.assertEqual(status["state"], "failed")
                self.assertIn(f"late: rank {rank} on ", status["reason"])

    def end_with_rank_1(self, script, run, hard_limit):
        """What is said by a job whose rank 1 the script meets before it starts."""
        words = 'if [ "$OMPI_COMM_WORLD_RANK" = 1 ]; then %s; fi; exec "$@"' % script
        limits = {"LOCKSTEP_HARD_LIMIT_SECONDS": str(hard_limit),
                  "LOCKSTEP_LONG_WORK_LIMIT_SECONDS": str(10 * hard_limit)}
        with unittest.mock.patch.dict(os.environ, limits):
            done = self.run_binary(*self.arguments(run), ranks=2, before=["sh", "-c", words, "sh"])
        self.assertEqual(done.returncode, EXIT_PEER, done.stderr)
        return done.stderr

    def test_a_rank_that_is_stopped_before_the_others_have_found_it(self):
        causes = r"one is stopped, or TCP does not pass between their hosts \(.*\)"
        self.assertRegex(self.end_with_rank_1("kill -STOP $$", "never", 1),
                         r"\Alockstep: waiting for 1 s for the ranks to find each other: "
                         rf"{causes}\nlockstep: waited 10 s on \S+ for the ranks to find each "
                         rf"other: {causes}\n")

    def test_a_rank_that_is_stopped_when_all_is_done(self):
        errors = self.end_with_rank_1(f"export LD_PRELOAD={os.environ['STOP_AT_END']}", "done", 30)
        self.assertRegex(errors, r"(?m)^lockstep: waited \d+ s in: the end; late: rank 1 on \S+ "
                         r"\(process \d+, last seen in: the end\)$")

    def test_pause_is_survived(self):
        expected = self.reference("whole")
        hold = self.hold("step", 10, rank=1)
        job = self.start(*self.arguments("paused"), ranks=3, holds=[hold],
                         LOCKSTEP_SOFT_LIMIT_SECONDS="1")
        hold.reached(job)
        log = self.folder / "paused" / "logs" / "rank-0.log"
        self.assertTrue(job.wait_until(lambda: "late: rank 1 on " in log.read_text()))
        hold.go_on()
        done = job.end()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_same_outcome(self.outcome("paused", self.digest_of(done)), expected)


class FullDiskTest(FaultsTest):
    def mount(self, limit):
        disk = self.folder / limit
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", limit, "tmpfs", disk],
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest(f"a small disk cannot be mounted: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "--lazy", disk], check=True)
        return disk

    def fill_with_bytes(self, disk):
        """What takes all room is in the files of the list."""
        filling = disk / "filling"
        with open(filling, "wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                while file.write(bytes(1 << 12)):
                    pass
        return [filling]

    def fill_with_files(self, disk):
        filling = []
        with contextlib.suppress(OSError):
            while True:
                filling.append(disk / f"filling-{len(filling)}")
                filling[-1].touch()
        return filling[:-1]

    def check_outlived(self, limit, fill, reason):
        if os.geteuid() != 0:
            self.skipTest("only root may mount a small disk")
        expected = self.reference("whole", *KILLED)
        disk = self.mount(limit)
        run = f"{limit}/run"
        fills, empties = self.hold("step", 40), self.hold("step", 62)
        job = self.start(*self.arguments(run, *KILLED), ranks=2, holds=[fills, empties])
        fills.reached(job)
        filling = fill(disk)
        fills.go_on()
        empties.reached(job)
        self.assertIn(True, [whole(each) for each in self.checkpoints(run)])
        for path in filling:
            path.unlink()
        empties.go_on()
        done = job.end()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_same_outcome(self.outcome(run, self.digest_of(done)), expected)
        lines = done.stderr.splitlines()
        failed = [re.search(r"checkpoint of step (\d+) was not written", line) for line in lines]
        others = failed.count(None)
        steps = {int(match[1]) for match in failed if match}
        # That of step 40 was perhaps being written. That of 51, the best, is tried again
        # before any later one.
        self.assertLessEqual(steps, {40, 45, 50, 51, 55, 60}, done.stderr)
        self.assertLessEqual({45, 50}, steps, done.stderr)
        self.assertTrue(all(reason in line for line in lines), done.stderr)
        # Beside the saves, one line each for metrics.jsonl, status.json and the event file.
        self.assertLessEqual(others, 3, done.stderr)
        self.assertTrue(all(whole(each) for each in self.checkpoints(run)))
        self.assertTrue((disk / "run" / "logs" / "rank-0.log").exists())

    def test_training_outlives_a_full_disk(self):
        self.check_outlived("size=1m", self.fill_with_bytes, "No space left on device")

    def test_training_outlives_a_disk_of_no_more_files(self):
        self.check_outlived("nr_inodes=100", self.fill_with_files,
                            "No space left on device for one more file (no inode is free)")

    def test_a_run_folder_that_cannot_be_made(self):
        if os.geteuid() != 0:
            self.skipTest("only root may mount a small disk")
        disk = self.mount("nr_inodes=20")
        self.fill_with_files(disk)
        for run in ("run", "run/", "new/run"):
            done = self.run_binary(*self.arguments(f"nr_inodes=20/{run}"), ranks=None)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertRegex(done.stderr, rf"^lockstep: \S+/{run.rstrip('/')}: cannot be made: No "
                             r"space left on device for one more file \(no inode is free\)\n$")


if __name__ == "__main__":
    unittest.main()
