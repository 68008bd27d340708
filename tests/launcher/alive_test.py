"""status and cancel: who lives is told by the lock, and nobody else gets a signal."""

import fcntl
import json
import os
import subprocess
import sys
import unittest

from fake_project import FakeProjectTest


class AliveTest(FakeProjectTest):
    """Run folders as a user may have them, also from elsewhere."""

    def setUp(self):
        super().setUp()
        self.run_dir = self.folder / "project" / "models" / "x" / "y"
        self.run_dir.mkdir(parents=True)

    def write(self, **status):
        here = {"state": "running", "host": os.uname().nodename, "epoch": 1, "step": 3,
                "steps_total": 9}
        (self.run_dir / "status.json").write_text(json.dumps(here | status))

    def state(self):
        result = self.launch("status", str(self.run_dir))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout.splitlines()[1].split()[1]

    def start(self, *words):
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def bystander(self):
        """A program that has nothing to do with the run."""
        return self.start("cat")

    def check_nothing_is_cancelled(self):
        process = self.bystander()
        for pid in (process.pid, -1, 0, 1, None, "abc", 1e20, True, [1]):
            with self.subTest(pid=pid):
                self.write(pid=pid)
                self.assertEqual(self.state(), "killed")
                result = self.launch("cancel", str(self.run_dir))
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertIn("not running (killed)", result.stderr)
        self.assertIsNone(process.poll())

    def test_a_number_that_is_another_processs(self):
        (self.run_dir / "lock").write_text("process 1 on a\n")
        self.check_nothing_is_cancelled()

    def test_a_run_without_a_lock(self):
        self.check_nothing_is_cancelled()

    def test_a_lock_that_another_holds_does_not_prove_the_number(self):
        process = self.bystander()
        self.write(pid=process.pid)
        with (self.run_dir / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.assertEqual(self.state(), "running")
            result = self.launch("cancel", str(self.run_dir))
        self.assertEqual(result.returncode, 1)
        self.assertIn("cannot be seen from here", result.stderr)
        self.assertIsNone(process.poll())

    def holder(self):
        return self.start(sys.executable, "-c", f"""
import fcntl, os, signal, sys
file = open({str(self.run_dir / "lock")!r}, "w")
fcntl.flock(file, fcntl.LOCK_EX)
file.write(f"process {{os.getpid()}} on {{os.uname().nodename}}\\n"); file.flush()
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(75))
print("ready", flush=True)
sys.stdin.read()""")

    def test_the_process_that_holds_the_lock_is_asked(self):
        # In the second the file is still of an earlier start.
        for status in ({"state": "running"}, {"state": "done", "pid": 1}):
            with self.subTest(**status):
                process = self.holder()
                self.assertEqual(process.stdout.readline(), "ready\n")
                self.write(**{"pid": process.pid} | status)
                self.assertEqual(
                    self.state(), "running" if status["state"] == "running" else "starting")
                result = self.launch("cancel", str(self.run_dir))
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(process.wait(timeout=200), 75)
                self.assertFalse((self.run_dir / "cancelled").exists())

    def test_a_run_that_no_launcher_watches_gets_no_mark(self):
        for state in ("running", "saved"):
            self.write(state=state)
            (self.run_dir / "watched").write_text(f"{os.uname().nodename}\n")  # by one that is gone
            self.assertEqual(self.launch("cancel", str(self.run_dir)).returncode, 0)
            self.assertFalse((self.run_dir / "cancelled").exists())

    def test_a_run_of_another_host(self):
        self.write(host="elsewhere", pid=os.getpid())
        self.assertEqual(self.state(), "unknown,")
        result = self.launch("cancel", str(self.run_dir))
        self.assertEqual(result.returncode, 1)
        self.assertIn("started on elsewhere; cancel it there", result.stderr)

    def test_no_status_file_makes_a_traceback_or_reaches_the_terminal(self):
        for text in ("[1,2]", "5", "null", "{}", "", "\0", "[" * 100000, '{"state": [1]}',
                     '{"state": "running", "pid": "abc"}', '{"state": "running", "pid": 1e20}',
                     '{"eta_seconds": 1e400, "images_per_second": NaN, "best": true}',
                     '{"step": {"a": 1}, "epoch": [], "steps_total": "\\u001b[2J"}',
                     '{"state": "\\u001b]0;forged\\u0007\\ndone"}',
                     '{"state": "running", "host": "\\u001b[2J\\n"}'):
            with self.subTest(text[:80]):
                (self.run_dir / "status.json").write_text(text)
                result = self.launch("status")
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                lines = result.stdout.split("\n")
                self.assertEqual(len(lines), 3, result.stdout)
                self.assertTrue("".join(lines).isprintable())

    def test_an_output_that_cannot_be_written(self):
        self.write()
        with open("/dev/full", "w") as full:
            result = subprocess.run(
                [sys.executable, self.project / "launcher" / "lockstep", "status"],
                env=self.environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, "lockstep: standard output: No space left on device\n")


if __name__ == "__main__":
    unittest.main()
