"""lockstep export: each format gives other people's software the network's logits."""

import csv
import json
import math
import os
import subprocess
import unittest
import zipfile

from export_network import CHANNELS, EXPERIMENT, SIDE
from lockstep_run import LockstepTest
from test_venv import BENCH_PYTHON, run_python

IMAGES = 100
NAMES = ["ant", "bee", "cat", 'd, "e"', "élan"]
METADATA = {"lockstep.experiment", "lockstep.normalization", "lockstep.framing",
            "lockstep.classes", "lockstep.validation_accuracy"}


class ExportTest(LockstepTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        experiment = cls.write_experiment("exported.textproto", text=EXPERIMENT)
        cls.images = [pixels for _, pixels in cls.test_rows[:IMAGES]]
        cls.pixels = cls.write("pixels.json", json.dumps(cls.images))
        for precision in ("FP32", "BF16"):
            done = cls.run_binary("train", experiment, "--run-dir", cls.folder / precision,
                                  "--set", f"training.precision={precision}", "--threads", 1)
            assert done.returncode == 0, done.stderr

    def export(self, precision, kind):
        out = self.folder / f"{precision}.{kind}"
        self.lockstep("export", self.folder / precision, "--format", kind, "--out", out,
                      ranks=None)
        return out

    def read(self, kind, path):
        """(logits, metadata) of the images, in Python."""
        found = json.loads(run_python("read_logits.py", kind, path, self.pixels))
        return found["logits"], found["metadata"]

    def expected(self, precision):
        """By NumPy, from the weights that the training saved."""
        best = self.folder / precision / "checkpoints" / "best" / "weights.safetensors"
        logits, _ = self.read("safetensors", best)
        self.assertEqual((len(logits), len(logits[0])), (IMAGES, len(NAMES)))
        # They tell images apart, so that being within 1e-4 of them means something.
        self.assertGreater(max(max(column) - min(column) for column in zip(*logits)), 0.1)
        return logits

    def assert_near(self, logits, expected):
        self.assertEqual(len(logits), len(expected))
        for row, wanted in zip(logits, expected):
            self.assertEqual(len(row), len(wanted))
            for value, other in zip(row, wanted):
                self.assertLess(abs(value - other), 1e-4)

    def check_metadata(self, metadata, precision):
        self.assertLessEqual(METADATA, set(metadata))
        self.assertEqual(json.loads(metadata["lockstep.classes"]), NAMES)
        best = max(line["val_accuracy"] for line in self.metrics(precision)
                   if line["kind"] == "epoch")
        self.assertEqual(float(metadata["lockstep.validation_accuracy"]), best)
        self.assertEqual(metadata["lockstep.experiment"],
                         (self.folder / precision / "experiment.textproto").read_text())

    def test_onnx(self):
        for precision in ("FP32", "BF16"):
            logits, metadata = self.read("onnx", self.export(precision, "onnx"))
            self.assert_near(logits, self.expected(precision))
            self.check_metadata(metadata, precision)

    def test_safetensors(self):
        for precision in ("FP32", "BF16"):
            out = self.export(precision, "safetensors")
            logits, metadata = self.read("safetensors", out)
            self.assertEqual(logits, self.expected(precision))
            self.check_metadata(metadata, precision)
            for source in (out, self.folder / precision):
                self.lockstep("submit", source, "--out", self.folder / f"{source.name}.csv")
            self.assertEqual((self.folder / f"{out.name}.csv").read_text(),
                             (self.folder / f"{precision}.csv").read_text())

    def test_torchscript(self):
        places = [(y * SIDE + x) * CHANNELS + c
                  for c in range(CHANNELS) for y in range(SIDE) for x in range(SIDE)]
        content = bytes(pixels[place] for pixels in self.images for place in places)
        for precision in ("FP32", "BF16"):
            out = self.export(precision, "torchscript")
            done = subprocess.run(
                [os.environ["TORCHSCRIPT_LOGITS"], out, str(CHANNELS), str(SIDE), str(SIDE)],
                input=content, capture_output=True, check=True)
            logits = [list(map(float, line.split())) for line in done.stdout.splitlines()]
            self.assert_near(logits, self.expected(precision))
            with zipfile.ZipFile(out) as archive:
                metadata = {name.partition("/extra/")[2]: archive.read(name).decode()
                            for name in archive.namelist() if "/extra/" in name}
            self.check_metadata(metadata, precision)

    @unittest.skipUnless(BENCH_PYTHON.exists(), "no torch package: tests/bench/run.py fetches it")
    def test_torchscript_by_the_torch_package(self):
        for precision in ("FP32", "BF16"):
            out = self.export(precision, "torchscript")
            found = json.loads(run_python("read_logits.py", "torchscript", out, self.pixels,
                                          python=BENCH_PYTHON))
            self.assert_near(found["logits"], self.expected(precision))
            self.check_metadata(found["metadata"], precision)

    def test_a_moving_average(self):
        # metrics.jsonl has the digest of the weights that it is the average of.
        self.train("average", "--set", "training.ema_decay=0.9",
                   experiment=self.folder / "exported.textproto")
        _, metadata = self.read("onnx", self.export("average", "onnx"))
        self.check_metadata(metadata, "average")

    def test_same_as_predict(self):
        for precision, tolerance in (("FP32", 1e-4), ("BF16", 0.05)):
            out = self.folder / "predictions.csv"
            self.lockstep("predict", self.folder / precision, "--out", out)
            with out.open(newline="") as file:
                rows = list(csv.DictReader(file))
            for row, logits in zip(rows, self.expected(precision)):
                total = sum(map(math.exp, logits))
                for name, logit in zip(NAMES, logits):
                    self.assertLess(abs(float(row[f"p_{name}"]) - math.exp(logit) / total),
                                    tolerance)

    def test_equal_bytes_for_equal_weights(self):
        for kind in ("onnx", "safetensors", "torchscript"):
            first = self.export("FP32", kind).read_bytes()
            self.assertTrue(self.export("FP32", kind).read_bytes() == first, kind)

    def test_bad_usage(self):
        run, out = self.folder / "FP32", self.folder / "x"
        for words, message in (
                ([run, "--format", "keras", "--out", out], "--format: keras not in "),
                ([run, "--out", out], "--format is required"),
                ([run, "--format", "onnx"], "--out is required"),
                ([run, "--format", "onnx", "--out", self.folder], "is a folder; expected a file"),
                ([run, "--format", "onnx", "--out", self.folder / "none" / "x"],
                 "there is no folder"),
                ([self.folder / "none", "--format", "onnx", "--out", out],
                 "no trained weights there")):
            done = self.run_binary("export", *words, ranks=None)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(message, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)
        self.assertFalse(out.exists())


if __name__ == "__main__":
    unittest.main()
