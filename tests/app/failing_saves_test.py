"""A save that is killed, or in which a call fails, leaves what the run goes on from; a
checkpoint that is not whole is never taken."""

import os
import random
import shutil
import subprocess
import unittest
from concurrent.futures import ThreadPoolExecutor

from faults import FaultsTest, whole
from lockstep_run import BINARY

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
        cases += [("write", "EDQUOT", 1), ("fsync", "EDQUOT", 2)]
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
                    text = {"EIO": "Input/output error", "ENOSPC": "No space left on device",
                            "EDQUOT": "Disk quota exceeded"}
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
