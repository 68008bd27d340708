"""What is no number is shown as such: metrics without validation rows, and logits beyond
fp32. Weights of classes lead to none."""

import json
import re
import struct
import unittest

from lockstep_run import LockstepTest
from weights_file import read_weights, weights_content

NO_ROWS = "no validation rows\n"


class WithoutValidationRowsTest(LockstepTest):
    def test_no_accuracy_is_told(self):
        run = self.folder / "run"
        done = self.lockstep("train", self.experiment, "--set", "data.validation.fraction=0",
                             "--run-dir", run)
        self.assertEqual(done.stderr, "")
        self.assertIn("\n" + NO_ROWS, done.stdout)
        self.assertNotRegex(done.stdout, r"(?i)accuracy|nan\b")
        self.assertEqual((run / "classification_report.txt").read_text(), NO_ROWS)
        written = json.loads((run / "evaluation.json").read_text())
        asked = json.loads(self.lockstep("evaluate", run, "--json").stdout)
        for found in (written, asked):
            self.assertEqual((found["rows"], found["correct"]), (0, 0))
            self.assertEqual((found["accuracy"], found["loss"]), (None, None))
            for average in ("macro", "weighted"):
                self.assertEqual(found[average],
                                 {"precision": None, "recall": None, "f1": None, "support": 0})
        self.assertEqual(self.lockstep("evaluate", run).stdout, NO_ROWS)
        for line in self.metrics("run"):
            if line["kind"] == "epoch":
                self.assertEqual((line["val_loss"], line["val_accuracy"]), (None, None))
        status = json.loads((run / "status.json").read_text())
        self.assertEqual((status["val_accuracy"], status["best"]), (None, None))
        self.lockstep("report", run)
        self.lockstep("report", run, run, "--out", "compare.html")
        for page in (run / "report.html", self.folder / "compare.html"):
            text = page.read_text()
            self.assertIn("n/a", text)
            self.assertNotRegex(text, r"\bnan\b|\b0\.00%|>0\.0000<")


class NotFiniteTest(LockstepTest):
    def test_the_largest_and_the_smallest_weights_of_classes_train(self):
        for weight in ("1e-10", "1e10"):
            self.train(weight, "--set", "training.class_weights=" + ",".join([weight] * 5))
            losses = [line["train_loss"] for line in self.metrics(weight)
                      if line["kind"] == "epoch"]
            self.assertLess(losses[1], losses[0])
            self.assertLess(losses[0], 3)

    def test_nan_has_no_sign(self):
        self.train("run", "--set", "training.epochs=1")
        metadata, tensors = read_weights(
            self.folder / "run" / "checkpoints" / "best" / "weights.safetensors")
        # Products of the largest numbers: all logits are infinite.
        for name, (shape, values) in tensors.items():
            if ".dense." in name:
                largest = struct.pack("<f", 3e38) * (len(values) // 4)
                tensors[name] = (shape, largest)
        weights = self.write("large.safetensors", weights_content(metadata, tensors))
        for text in (self.lockstep("evaluate", weights, "--data", self.train_csv).stdout,
                     self.lockstep("evaluate", weights).stdout):
            self.assertIn("loss nan  rows", text)
            self.assertNotIn("-nan", text)
        found = json.loads(self.lockstep("evaluate", weights, "--json").stdout)
        self.assertIsNone(found["loss"])
        self.lockstep("predict", weights, "--out", "p.csv")
        lines = (self.folder / "p.csv").read_text().splitlines()
        self.assertEqual(len(lines), 302)
        for line in lines[1:]:
            self.assertTrue(re.fullmatch(r"\d+,0" + ",nan" * 5, line), line)


if __name__ == "__main__":
    unittest.main()
