"""The event files of a run, read by TensorBoard's own reader."""

import base64
import json
import shutil
import signal
import struct
import unittest

from lockstep_run import LockstepTest
from test_venv import run_python

STEP_VALUES = ("train_loss", "train_accuracy", "learning_rate", "images_per_second")
EPOCH_VALUES = (*STEP_VALUES, "val_loss", "val_accuracy")
PICTURES = ("confusion_matrix", "misclassified")


def single(value):
    """Rounded to the precision of a scalar in an event file."""
    return struct.unpack("f", struct.pack("f", value))[0]


class TensorBoardTest(LockstepTest):
    def events(self, run):
        return json.loads(run_python("read_events.py", self.folder / run / "tensorboard"))

    def files(self, run):
        return sorted(path.name for path in (self.folder / run / "tensorboard").iterdir())

    def check_scalars(self, run):
        """They are those of metrics.jsonl, each step once and in order."""
        expected = {}
        for line in self.metrics(run):
            for name in STEP_VALUES if line["kind"] == "step" else EPOCH_VALUES:
                points = expected.setdefault(f"{line['kind']}/{name}", [])
                points.append([line["step"], single(line[name])])
        self.assertEqual(len(expected), len(STEP_VALUES) + len(EPOCH_VALUES))
        self.assertEqual(self.events(run)["scalars"], expected)

    def test_a_whole_run(self):
        self.train("whole", ranks=2)
        self.check_scalars("whole")
        events, folder = self.events("whole"), self.folder / "whole"
        steps = self.metrics("whole")[-1]["step"]
        text = (folder / "experiment.textproto").read_text()
        [[step, block]] = events["texts"]["experiment"]
        self.assertEqual(step, 0)
        self.assertEqual([line.removeprefix("    ") for line in block.split("\n")],
                         text.split("\n"))
        self.assertTrue(all(line.startswith("    ") for line in block.split("\n")))
        self.assertEqual(set(events["images"]), set(PICTURES))
        for name in PICTURES:
            png = (folder / f"{name}.png").read_bytes()
            [[step, width, height, content]] = events["images"][name]
            self.assertEqual((step, base64.b64decode(content)), (steps, png))
            self.assertEqual((width, height), struct.unpack(">II", png[16:24]))

    def test_while_the_run_goes_on(self):
        run = self.folder / "watched"
        hold = self.hold("step", 40)  # after two epochs of 17
        job = self.start("train", self.experiment, "--run-dir", run, "--threads", 1,
                         "--set", "training.epochs=3", ranks=1, holds=[hold])

        hold.reached(job)
        scalars = self.events("watched")["scalars"]
        job.send(signal.SIGUSR1)
        hold.go_on(after=signal.SIGUSR1)
        self.assertEqual(job.end().returncode, 75)
        self.assertGreaterEqual(len(scalars["epoch/val_loss"]), 1)
        self.assertGreaterEqual(len(scalars["step/train_loss"]), 1)

    def test_gone_on_from_an_earlier_checkpoint(self):
        self.train("resumed", "--set", "checkpoint.every_steps=5",
                   "--set", "checkpoint.keep_last=100")
        before = self.files("resumed")
        # Steps 6 and later, two epochs' ends and the pictures are told twice.
        checkpoint = self.folder / "resumed" / "checkpoints" / "step-00000005"
        self.lockstep("train", self.experiment, "--resume", checkpoint, "--threads", 1,
                      "--set", "checkpoint.every_steps=5", "--set", "checkpoint.keep_last=100",
                      "--set", "training.epochs=3")
        self.assertEqual(self.files("resumed")[:len(before)], before)
        self.assertGreater(len(self.files("resumed")), len(before))
        self.check_scalars("resumed")
        events = self.events("resumed")
        last = self.metrics("resumed")[-1]["step"]
        for name in PICTURES:
            [[step, *_]] = events["images"][name]
            self.assertEqual(step, last)
        self.assertEqual([step for step, _ in events["texts"]["experiment"]], [0, 5])
        self.assertIn("epochs: 3", events["texts"]["experiment"][1][1])

    def test_begun_anew(self):
        # Without a checkpoint to go on from, the first try's steps are told again.
        self.train("anew")
        shutil.rmtree(self.folder / "anew" / "checkpoints")
        self.train("anew")
        self.check_scalars("anew")
        self.train("anew", "--resume", "never")
        self.assertEqual(len(self.files("anew")), 2)
        self.check_scalars("anew")

    def test_without_validation_rows(self):
        self.train("unvalidated", "--set", "data.validation.fraction=0")
        scalars = self.events("unvalidated")["scalars"]
        self.assertEqual({tag for tag in scalars if tag.startswith("epoch/")},
                         {f"epoch/{name}" for name in STEP_VALUES})


if __name__ == "__main__":
    unittest.main()
