"""What the launcher says where nothing starts, and where nobody takes what it says."""

import subprocess
import sys
import unittest

from fake_project import FakeProjectTest


class StartsTest(FakeProjectTest):
    def test_an_mpirun_that_starts_nothing_says_why(self):
        line = "-" * 74
        self.tool("mpirun", f"""
            printf '%s\\n' '{line}' 'There are not enough slots' '{line}' >&2; exit 1""")
        result = self.launch("train", "-np", "2")
        self.assertEqual(result.returncode, 1)
        self.assertIn("There are not enough slots", result.stderr)

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [sys.executable, self.project / "launcher" / "lockstep", "--help"], stdout=full,
                stderr=subprocess.PIPE, text=True, env=self.environment(), check=False)
        self.assertEqual((done.returncode, done.stderr), (1, "lockstep: standard output: No space left on device\n"))


if __name__ == "__main__":
    unittest.main()
