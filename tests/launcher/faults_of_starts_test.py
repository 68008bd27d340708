"""Starts that cannot succeed, and output that nobody takes."""

import os
import subprocess
import sys
import unittest

from fake_project import FakeProjectTest


class StartsTest(FakeProjectTest):
    def test_a_training_outlives_the_reader_of_its_output(self):
        pipe = self.folder / "go"
        os.mkfifo(pipe)
        self.tool("mpirun", f"""
            echo ready; read -r line <{pipe}; for i in 1 2 3; do echo more || exit 9; done; exit 0""")
        process = subprocess.Popen(
            [sys.executable, self.project / "launcher" / "lockstep", "train", "-np", "2"],
            env=self.environment(), cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "ready\n")
        process.stdout.close()
        pipe.write_text("go\n")
        self.assertEqual(process.stderr.read().splitlines()[-1],
                         "lockstep: standard output: Broken pipe; going on without it")
        self.assertEqual(process.wait(timeout=200), 0)
        process.stderr.close()

    def test_an_mpirun_that_starts_nothing_says_why(self):
        line = "-" * 74
        self.tool("mpirun", f"""
            printf '%s\\n' '{line}' 'There are not enough slots' '{line}' >&2; exit 1""")
        result = self.launch("train", "-np", "2")
        self.assertEqual(result.returncode, 1)
        self.assertIn("There are not enough slots", result.stderr)

    def test_more_ranks_than_the_allocation_has(self):
        result = self.launch("train", "-np", "2", SLURM_JOB_ID="5", SLURM_JOB_NUM_NODES="1",
                             SLURM_JOB_CPUS_PER_NODE="1")
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr, r"(?m)^lockstep: -np is 2, but the Slurm job .*\n\Z")

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [sys.executable, self.project / "launcher" / "lockstep", "--help"], stdout=full,
                stderr=subprocess.PIPE, text=True, env=self.environment(), check=False)
        self.assertEqual((done.returncode, done.stderr), (1, "lockstep: No space left on device\n"))


if __name__ == "__main__":
    unittest.main()
