"""The launcher in a project that its user may only read: a shared install."""

import os
import subprocess
import sys
import unittest

from fake_project import ANSWER_NEEDS, FakeProjectTest

READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'


@unittest.skipIf(os.geteuid() != 0, "needs root")
class ReadableOnlyTest(FakeProjectTest):
    def setUp(self):
        super().setUp()
        script = "#!/bin/sh" + ANSWER_NEEDS + """
            echo "root $LOCKSTEP_ROOT, models $LOCKSTEP_MODELS, words $*"
            exit 0\n"""
        (self.folder / "program").write_text(script)
        self.home = self.folder / "home"

    def launch_reader(self, *words):
        """As launch(), where nothing of the project can be written."""
        launcher = [sys.executable, self.project / "launcher" / "lockstep", *words]
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", READ_ONLY, self.project, *launcher],
            cwd=self.folder, env=self.environment(HOME=str(self.home)), text=True,
            stdin=subprocess.DEVNULL, capture_output=True, check=False)

    def test_what_is_built_runs(self):
        self.assertEqual(self.launch("build").returncode, 0)
        models = self.home / "lockstep" / "models"
        done = self.launch_reader("train", "x", "-np", "1", "--max-restarts", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"root {self.project}, models {models}, words train", done.stdout)
        self.assertIn(f"--run-dir {models}/tiny/", done.stdout)
        self.assertEqual(done.stderr, "")
        done = self.launch_reader("predict", "x.png", "-np", "1")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        # status finds the runs there.
        run = models / "digits" / "one"
        run.mkdir(parents=True)
        (run / "status.json").write_text('{"state": "done"}')
        self.assertIn("\ndigits/one", self.launch_reader("status").stdout)
        # The owner's own runs stay where they were.
        done = self.launch("train", "x", "-np", "1", "--max-restarts", "1", HOME=str(self.home))
        self.assertIn("models , words train", done.stdout)
        self.assertIn(f"--run-dir {self.project}/models/tiny/", done.stdout)

    def test_what_is_not_built_says_who_can(self):
        self.assertEqual(self.launch("build").returncode, 0)
        (self.project / "src" / "new.cpp").write_text("")
        (self.folder / "ninja.log").unlink()
        done = self.launch_reader("train", "x", "-np", "1")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^lockstep: the build is not up to date and cannot be made "
                                      r"here \(.*\); root, who owns this folder, can: ")
        self.assertEqual(done.stderr.count("\n"), 1)
        self.assertFalse((self.folder / "ninja.log").exists())


if __name__ == "__main__":
    unittest.main()
