"""What the launcher makes of run folders whose files say what is not so."""

import fcntl
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from fake_project import FakeProjectTest


class RunsTest(FakeProjectTest):
    def setUp(self):
        super().setUp()
        self.run_dir = self.folder / "run"
        self.run_dir.mkdir()
        (self.run_dir / "lock").touch()
        self.other = subprocess.Popen(["sleep", "1000"])
        self.addCleanup(self.other.wait)
        self.addCleanup(self.other.kill)

    def write_status(self, text):
        (self.run_dir / "status.json").write_text(text)

    def running(self, process):
        self.write_status(json.dumps({"state": "running", "pid": process, "step": 3, "epoch": 1,
                                      "steps_total": 9, "host": os.uname().nodename}))

    def test_a_number_in_a_file_is_no_process(self):
        for process in (self.other.pid, -1, 0, 1, -self.other.pid, 2**70, "5", None):
            with self.subTest(process):
                self.running(process)
                self.assertRegex(self.launch("status", "run").stdout, r"run +killed +1 +3/9 ")
                done = self.launch("cancel", "run")
                self.assertEqual((done.returncode, done.stderr), (0, "run: not running (killed)\n"))
                self.assertIsNone(self.other.poll())

    def test_only_who_holds_the_lock_is_asked_to_save(self):
        with open(self.run_dir / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for process in (self.other.pid, -1, 0, 1):
                with self.subTest(process):
                    self.running(process)
                    self.assertIn(" running ", self.launch("status", "run").stdout)
                    done = self.launch("cancel", "run")
                    self.assertEqual(done.returncode, 1)
                    self.assertRegex(done.stderr, r"\Alockstep: run: a training holds it, [^\n]*\n\Z")
                    self.assertIsNone(self.other.poll())

    def make_sweep(self):
        """Of two runs, as an array of Slurm jobs."""
        runs = [{"folder": f"00{number}", "overrides": [], "values": []} for number in range(2)]
        (self.run_dir / "sweep.json").write_text(json.dumps(
            {"name": "x", "settings": [], "samples": 0, "sample_seed": 0, "fields": [],
             "monitor": "val_loss", "runs": runs}))
        (self.run_dir / "slurm.json").write_text('{"job": "7"}')
        for run in runs:
            (self.run_dir / run["folder"]).mkdir()

    def test_a_job_is_asked_until_its_run_is_saved(self):
        """At the third look of the launcher's the run has begun, at the fourth it is saved, and
        at the sixth its job is gone."""
        runs = self.project / "launcher" / "runs.py"
        text = runs.read_text()
        self.assertIn("SECONDS_BETWEEN_QUESTIONS = 1.0", text)
        runs.write_text(text.replace("SECONDS_BETWEEN_QUESTIONS = 1.0",
                                     "SECONDS_BETWEEN_QUESTIONS = 0"))
        (self.run_dir / "slurm.json").write_text('{"job": "7"}')
        status, looks, asked = self.run_dir / "status.json", self.folder / "looks", \
            self.folder / "asked"
        self.tool("squeue", f"""
            echo >>{looks}; n=$(wc -l <{looks})
            state=PENDING; [ $n -lt 3 ] || {{
              state=RUNNING; echo '{{"state": "running"}}' >{status}; }}
            [ $n -lt 4 ] || echo '{{"state": "saved"}}' >{status}
            [ $n -ge 6 ] || echo "7|N/A|$state|n1" """)
        self.tool("scancel", f"""echo "$*" >>{asked}""")
        done = self.launch("cancel", "run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(asked.read_text().splitlines(),
                         ["--state=PENDING 7"] * 2 + ["--state=RUNNING --batch --signal=USR1 7"])
        self.assertFalse((self.run_dir / "cancelled").exists())

    def test_logs_of_an_array(self):
        self.make_sweep()
        for folder in ("run", "run/000"):
            done = self.launch("logs", folder)
            self.assertEqual((done.returncode, done.stderr), (1, f"lockstep: {folder}: no output yet\n"))
        for number in range(2):
            (self.run_dir / f"slurm-{number}.log").write_text(f"of job {number}\n")
        done = self.launch("logs", "run")
        self.assertEqual((done.returncode, done.stdout), (0, "run/slurm-0.log\nrun/slurm-1.log\n"))
        self.assertEqual(self.launch("logs", "run/001").stdout, "of job 1\n")
        (self.run_dir / "001" / "logs").mkdir()
        (self.run_dir / "001" / "logs" / "rank-0.log").write_text("of the rank\n")
        self.assertRegex(self.launch("logs", "run/001").stdout, "of job 1\n[^$]*of the rank\n")

    def test_status_files_that_hold_anything(self):
        for text in ("[1,2]", "5", "null", "[" * 100000, "{}", '{"state": "running"}', '"abc"',
                     '{"state": "running", "pid": 1e20, "eta_seconds": 1e400, "best": NaN}',
                     '{"state": "running", "pid": "abc", "step": {"a": 1}, "epoch": [2]}'):
            with self.subTest(text[:40]):
                self.write_status(text)
                done = self.launch("status", "run")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(len(done.stdout.splitlines()), 2)

    def test_control_characters_do_not_reach_the_terminal(self):
        self.write_status(json.dumps({"state": "\x1b]0;title\x07\nforged line", "reason": "\x1b[2J"}))
        for command in ("status", "cancel"):
            done = self.launch(command, "run")
            self.assertNotRegex(done.stdout + done.stderr, r"[\x00-\x09\x0b-\x1f]")
            self.assertIn("?]0;title??forged line", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
