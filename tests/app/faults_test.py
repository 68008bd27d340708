"""A run that meets a fault goes on where it was: killed and stopped ranks, kills within
a save, full and failing disks, damaged checkpoints."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from lockstep_run import BINARY, LockstepTest, xxh3

END_SECONDS = 5  # a job must end so soon after the death of a rank
EXIT_PEER = 4

STEPS_PER_EPOCH = 17
LONG = ("--set", "training.epochs=40", "--set", "training.log_every_steps=1",
        "--set", "checkpoint.every_steps=5")


def whole(folder):
    """Whether a checkpoint is what its manifest says."""
    manifest = json.loads((folder / "manifest.json").read_text())
    names = {path.name for path in folder.iterdir()}
    return names == {"manifest.json", *manifest["files"]} and all(
        xxh3((folder / name).read_bytes()) == entry["xxh3"]
        for name, entry in manifest["files"].items())


class FaultsTest(LockstepTest):
    def arguments(self, run, *more):
        return ("train", self.experiment, "--run-dir", self.folder / run, "--threads", 1, *more)

    def reference(self, run, *more):
        done = self.lockstep(*self.arguments(run, *more), ranks=None)
        return self.outcome(run, self.digest_of(done))

    def checkpoints(self, run):
        return sorted((self.folder / run / "checkpoints").glob("step-*"))

    def last_line(self, run):
        """Of metrics.jsonl, the newest that is whole; None without one."""
        path = self.folder / run / "metrics.jsonl"
        lines = path.read_text().split("\n") if path.exists() else []
        return json.loads(lines[-2]) if len(lines) > 1 else None

    def last_step(self, run):
        line = self.last_line(run)
        return line["step"] if line else 0

    def copy(self, run, name):
        shutil.copytree(self.folder / run, self.folder / name, symlinks=True)
        return self.folder / name


class KilledRankTest(FaultsTest):
    """30 kills: 10 runs of three each, at the start, in a step, in a save, in an
    evaluation."""

    def moments(self, run):
        """What to wait for before the kill, by name."""
        def after_step():
            step = self.last_step(run) + self.random.randrange(1, 60)
            return lambda: self.last_step(run) >= step

        def in_save():
            folder = self.folder / run / "checkpoints"
            return lambda: any(name.startswith(".tmp-") for name in os.listdir(folder))

        def in_evaluation():
            first = self.last_step(run)
            return lambda: (line := self.last_line(run)) is not None and (
                line["kind"] == "step" and line["step"] > first and
                line["step"] % STEPS_PER_EPOCH == 0)

        return {"step": after_step, "save": in_save, "evaluation": in_evaluation}

    def kill(self, run, moment):
        """Starts the run, kills one of its ranks, and looks how the others take it."""
        ranks = self.random.choice((2, 3))
        rank = self.random.randrange(ranks)
        delay = self.random.random() * (0.6 if moment == "start" else 0.003)
        job = self.start(*self.arguments(run, *LONG), ranks=ranks)
        if moment == "start":
            self.assertTrue(job.wait_until(lambda: job.rank_process(rank) is not None))
        else:
            status = self.folder / run / "status.json"
            before = status.stat().st_mtime_ns if status.exists() else 0
            self.assertTrue(job.wait_until(
                lambda: status.exists() and status.stat().st_mtime_ns > before))
            self.assertTrue(job.wait_until(self.moments(run)[moment]()), moment)
        time.sleep(delay)
        self.assertTrue(job.send(signal.SIGKILL, rank), "the run ended before it was killed")
        begin = time.monotonic()
        done = job.end()
        self.assertLess(time.monotonic() - begin, END_SECONDS)
        self.assertNotEqual(done.returncode, 0)
        if moment != "start":  # the ranks may not have known of each other yet
            self.assertRegex(done.stderr, rf"^lockstep: rank {rank} on \S+ died \(process \d+")

    def test_thirty_kills(self):
        self.random = random.Random(30)
        expected = self.reference("whole", *LONG)
        kinds = ["step", "save", "evaluation"]
        for turn in range(10):
            run = f"run-{turn}"
            for moment in ("start", kinds[turn % 3], kinds[(turn + 1) % 3]):
                with self.subTest(run=run, moment=moment):
                    self.kill(run, moment)
            done = self.lockstep(*self.arguments(run, *LONG), ranks=self.random.choice((1, 2, 3)))
            self.assert_same_outcome(self.outcome(run, self.digest_of(done)), expected)
            self.assertTrue(all(whole(each) for each in self.checkpoints(run)))
            leftovers = [path for path in (self.folder / run).rglob("*")
                         if "tmp" in path.name or path.name.endswith(".bad")]
            self.assertEqual(leftovers, [])


class StoppedRankTest(FaultsTest):
    def stop(self, run, rank, seconds, **environment):
        """Stops a rank of three within the training, perhaps for a while."""
        job = self.start(*self.arguments(run, *LONG), ranks=3, **environment)
        self.assertTrue(job.wait_until(lambda: self.last_step(run) >= 40))
        self.assertTrue(job.send(signal.SIGSTOP, rank))
        if seconds:
            time.sleep(seconds)
            self.assertTrue(job.send(signal.SIGCONT, rank))
        begin = time.monotonic()
        return job.end(), time.monotonic() - begin

    def test_stopped_rank_ends_the_job(self):
        for rank in (0, 2):
            with self.subTest(rank=rank):
                done, seconds = self.stop(f"stopped-{rank}", rank, None,
                                          LOCKSTEP_SOFT_LIMIT_SECONDS="3",
                                          LOCKSTEP_HARD_LIMIT_SECONDS="4")
                self.assertEqual(done.returncode, EXIT_PEER, done.stderr)
                self.assertLess(seconds, 4 + END_SECONDS)
                self.assertRegex(done.stderr, rf"waited 4 s in: [^;]+; late: rank {rank} on ")
                self.assertNotRegex(done.stderr, rf"late: (?!rank {rank} on )")

    def test_pause_is_survived(self):
        expected = self.reference("whole", *LONG)
        done, _ = self.stop("paused", 1, 1)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_same_outcome(self.outcome("paused", self.digest_of(done)), expected)


# A save of a resumed run, traced: base has the checkpoint of step 17, the run goes on
# to step 34 and saves there twice, as an epoch's last step and as the new best.
BASE = ("--set", "checkpoint.every_steps=17", "--set", "checkpoint.keep_last=1",
        "--set", "training.log_every_steps=100")


@unittest.skipUnless(shutil.which("strace"), "strace is not installed")
class FailingSaveTest(FaultsTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        base = cls.run_binary("train", cls.experiment, "--run-dir", cls.folder / "base", "--threads",
                              1, *BASE, "--set", "training.epochs=1", ranks=None)
        assert base.returncode == 0, base.stderr
        cls.expected_base = base.stdout.splitlines()[-1]
        cls.expected = cls.run_binary("train", cls.experiment, "--run-dir", cls.folder / "whole",
                                      "--threads", 1, *BASE, ranks=None).stdout.splitlines()[-1]

    def traced(self, run, call, action, *more, step=34):
        """Runs a copy of base on, with something injected at `call` of a save."""
        folder = self.folder / run / "checkpoints"
        temporary = folder / f".tmp-step-{step:08}"
        paths = [folder, temporary, folder / f"step-{step:08}", folder / "best.tmp",
                 folder / ".tmp-old-step-00000017"]
        paths += [temporary / f"{name}.safetensors" for name in ("weights", "optimizer", "best")]
        paths += [temporary / f"{name}.json" for name in ("state", "manifest")]
        before = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}",
                  "-e", f"inject={call}:{action}"]
        for path in paths:
            before += ["-P", path]
        return self.run_binary(*self.arguments(run, *BASE, *more), ranks=None, before=before)

    def check_resumed(self, run):
        done = self.lockstep(*self.arguments(run, *BASE), ranks=None)
        self.assertEqual(done.stderr, "")  # nothing was set aside
        self.assertEqual(done.stdout.splitlines()[-1], self.expected)
        folder = self.folder / run / "checkpoints"
        self.assertEqual((folder / "best").readlink().name, "step-00000034")
        self.assertTrue(all(whole(each) for each in self.checkpoints(run)))
        self.assertEqual([name for name in os.listdir(folder) if "tmp" in name], [])

    def kill_each(self, call):
        """Kills at the first, second, ... call until the run survives; how often it died."""
        for number in range(1, 100):
            run = f"{call}-{number}"
            self.copy("base", run)
            done = self.traced(run, call, f"signal=KILL:when={number}")
            if done.returncode == 0:
                return number - 1
            self.assertIn(done.returncode, (137, -9), done.stderr)
            self.assertTrue(self.checkpoints(run), f"no checkpoint is left after {run}")
            for each in self.checkpoints(run):
                self.assertTrue(whole(each), each)
            self.check_resumed(run)
        return 0

    def test_kill_at_each_call(self):
        # 5 files, then 4, of which each is written and synced; two folders, twice; the
        # rename of the first, the exchange of the second; the link to the best.
        least = {"write": 9, "fsync": 14, "rename": 2, "renameat2": 2, "symlink": 1, "unlinkat": 4}
        with ThreadPoolExecutor(2) as pool:
            for call, kills in zip(least, pool.map(self.kill_each, least)):
                self.assertGreaterEqual(kills, least[call], call)

    def test_only_checkpoint_is_never_gone(self):
        # A run of one epoch saves twice after its last step and keeps one checkpoint.
        more = ("--set", "training.epochs=1")
        for call, number in (("renameat2", 2), ("fsync", 12), ("unlinkat", 1)):
            run = f"only-{call}"
            done = self.traced(run, call, f"signal=KILL:when={number}", *more, step=17)
            self.assertIn(done.returncode, (137, -9), f"{call}: {done.stderr}")
            self.assertEqual([whole(each) for each in self.checkpoints(run)], [True], call)
            done = self.lockstep(*self.arguments(run, *BASE, *more), ranks=None)
            self.assertIn("going on in", done.stdout)
            self.assertEqual(done.stdout.splitlines()[-1], self.expected_base)

    def test_error_at_each_call(self):
        # The first save of step 34 fails, the second one does not.
        cases = [("write", error, number) for error in ("EIO", "ENOSPC") for number in range(1, 6)]
        cases += [("fsync", "EIO", number) for number in range(1, 8)]
        cases += [("rename", "EIO", 1)]

        def fail(case):
            call, error, number = case
            run = f"error-{call}-{error}-{number}"
            self.copy("base", run)
            return run, self.traced(run, call, f"error={error}:when={number}")

        with ThreadPoolExecutor(2) as pool:
            for case, (run, done) in zip(cases, pool.map(fail, cases)):
                with self.subTest(run):
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertEqual(done.stdout.splitlines()[-1], self.expected)
                    text = {"EIO": "Input/output error", "ENOSPC": "No space left on device"}
                    self.assertRegex(done.stderr, rf"^lockstep: the checkpoint of step 34 was not "
                                     rf"written; training goes on: .*{text[case[1]]}\n$")
                    self.check_resumed(run)

    def test_file_system_that_cannot_exchange(self):
        self.copy("base", "plain")
        done = self.traced("plain", "renameat2", "error=EINVAL")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.check_resumed("plain")

    def test_last_save_must_succeed(self):
        self.copy("base", "last")
        done = self.traced("last", "write", "error=ENOSPC")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("its last checkpoint could not be written", done.stderr)
        self.assertEqual([path.name for path in self.checkpoints("last")], ["step-00000017"])
        self.check_resumed("last")


class FullDiskTest(FaultsTest):
    def mount(self):
        disk = self.folder / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk],
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest(f"a small disk cannot be mounted: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "--lazy", disk], check=True)
        return disk

    def test_training_outlives_a_full_disk(self):
        if os.geteuid() != 0:
            self.skipTest("only root may mount a small disk")
        expected = self.reference("whole", *LONG)
        disk = self.mount()
        job = self.start(*self.arguments("disk/run", *LONG), ranks=2)
        self.assertTrue(job.wait_until(lambda: self.last_step("disk/run") >= 40))
        job.send(signal.SIGSTOP, 0)  # so that the disk fills between two writes
        filling = disk / "filling"
        with open(filling, "wb", buffering=0) as file:
            try:
                while file.write(bytes(1 << 12)):
                    pass
            except OSError:
                pass
        job.send(signal.SIGCONT, 0)
        log = disk / "run" / "logs" / "rank-0.log"
        time.sleep(0.3)
        self.assertTrue(job.running())
        left = [whole(each) for each in self.checkpoints("disk/run")]
        self.assertIn(True, left)
        filling.unlink()
        done = job.end()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_same_outcome(self.outcome("disk/run", self.digest_of(done)), expected)
        lines = done.stderr.splitlines()
        failed = [re.search(r"checkpoint of step (\d+) was not written", line) for line in lines]
        steps = [match[1] for match in failed if match]
        self.assertGreater(len(steps), 0, done.stderr)
        self.assertTrue(all("No space left" in line for line in lines), done.stderr)
        # Beside the saves, one line each for metrics.jsonl, status.json, the event file and
        # the report, for which this disk may be too small even without the filling.
        self.assertLessEqual(len(lines) - len(steps), 4, done.stderr)
        self.assertTrue(all(whole(each) for each in self.checkpoints("disk/run")))
        self.assertTrue(log.exists())


class DamagedCheckpointTest(FaultsTest):
    SHORT = ("--set", "checkpoint.every_steps=5", "--set", "checkpoint.keep_last=2")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        done = cls.run_binary("train", cls.experiment, "--run-dir", cls.folder / "run", "--threads",
                              1, *cls.SHORT, ranks=None)
        assert done.returncode == 0, done.stderr
        cls.expected = done.stdout.splitlines()[-1]

    def check_resumed(self, name, before, ranks=None):
        """The newest is not taken: it is set aside, and the one before it goes on."""
        done = self.lockstep(*self.arguments(name, *self.SHORT), ranks=ranks)
        self.assertEqual(done.stdout.splitlines()[-1], self.expected)
        self.assertRegex(done.stderr, r"step-00000034 is not whole and was set aside: \S+")
        self.assertIn(f"going on after step {before}", done.stdout)
        self.assertTrue((self.folder / name / "checkpoints" / "step-00000034.bad").exists())
        self.assertTrue(whole(self.folder / name / "checkpoints" / "step-00000034"))

    def test_torn_newest_checkpoint(self):
        def cut(folder):
            os.truncate(folder / "optimizer.safetensors", 1000)

        def remove_manifest(folder):
            (folder / "manifest.json").unlink()

        def remove_file(folder):
            (folder / "state.json").unlink()

        for number, damage in enumerate((cut, remove_manifest, remove_file)):
            with self.subTest(damage.__name__):
                name = f"torn-{number}"
                folder = self.copy("run", name) / "checkpoints"
                damage(folder / "step-00000034")
                for stale in (".tmp-step-00000034", ".tmp-step-00000099"):
                    shutil.copytree(folder / "step-00000030", folder / stale)
                self.check_resumed(name, 30, ranks=(None, 2, 3)[number])
                self.assertEqual(
                    [each for each in os.listdir(folder) if each.startswith(".")], [])

    def test_damage_is_seen_by_inspect(self):
        """Some of the files cut at every 64th byte, and single flipped bits."""
        numbers = random.Random(64)
        folder = self.copy("run", "inspected") / "checkpoints" / "step-00000034"
        done = self.run_binary("inspect", folder, ranks=None)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("whole", done.stdout)
        files = sorted(folder.iterdir())
        cuts = [(path, size) for path in files for size in range(0, path.stat().st_size, 64)]
        flips = [(path, numbers.randrange(8 * path.stat().st_size))
                 for path in numbers.choices(files, k=18)]
        for path, size in numbers.sample(cuts, 18):
            self.refused(folder, path, path.read_bytes()[:size])
        for path, bit in flips:
            content = bytearray(path.read_bytes())
            content[bit // 8] ^= 1 << bit % 8
            self.refused(folder, path, content)

    def refused(self, folder, path, content):
        good = path.read_bytes()
        path.write_bytes(content)
        done = subprocess.run([BINARY, "inspect", folder], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2, f"{path}: {done.stderr}")
        self.assertRegex(done.stderr, r"^lockstep: .*step-00000034.*\n$")
        path.write_bytes(good)

    def test_nothing_whole_is_left(self):
        folder = self.copy("run", "nothing") / "checkpoints"
        for each in self.checkpoints("nothing"):
            (each / "weights.safetensors").write_bytes(b"")
        done = self.run_binary("train", self.experiment, "--resume", folder.parent, ranks=None)
        self.assertEqual(done.returncode, 2)
        self.assertIn("no whole checkpoint", done.stderr)
        done = self.lockstep(*self.arguments("nothing", *self.SHORT), ranks=None)
        self.assertNotIn("going on", done.stdout)
        self.assertEqual(done.stdout.splitlines()[-1], self.expected)


if __name__ == "__main__":
    unittest.main()
