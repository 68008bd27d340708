"""Where run folders are made without --run-dir."""

import unittest
from pathlib import Path

from lockstep_run import LockstepTest


class ModelsFolderTest(LockstepTest):
    def train_with(self, **environment):
        done = self.start("train", self.experiment, "--set", "training.epochs=1", ranks=None,
                          **environment).end()
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_folder_of_the_environment(self):
        elsewhere = self.folder / "else where"
        self.train_with(LOCKSTEP_MODELS=str(elsewhere))
        self.assertEqual(len(list(elsewhere.glob("tiny/*/status.json"))), 1)
        self.assertFalse((self.folder / "models").exists())
        self.train_with()
        self.assertEqual(len(list(Path(self.folder).glob("models/tiny/*/status.json"))), 1)


if __name__ == "__main__":
    unittest.main()
