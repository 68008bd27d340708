"""torchvision's networks with their own weights, by the ready-made maps of names."""

import csv
import json
import random
import unittest

from lockstep_run import LockstepTest
from test_venv import BENCH_PYTHON, run_python

SIDE = 40
CLASSES = 5
ROWS = 24

EXPERIMENT = """
name: "theirs"
data {
  train { path: "rows.csv" }
  shape { height: %d width: %d channels: 3 }
  classes: %d
  validation { fraction: 0 }
}
model { %%s }
training { global_batch: 8 lanes: 2 epochs: 1 }
optimizer { sgd { learning_rate: 1e-30 } }
initialize { path: "theirs.safetensors" map: %%s freeze: "*" freeze: "!%%s.dense.*" }
""" % (SIDE, SIDE, CLASSES)

NORM = "layer { batch_norm { epsilon: 1e-5 } }"
RELU = "layer { activation { kind: RELU } }"


def conv(filters, kernel, stride=1):
    return (f"layer {{ conv {{ filters: {filters} kernel: {kernel} stride: {stride} "
            f"padding_pixels: {kernel // 2} bias: false }} }}")


def block(width, stride, inputs, bottleneck):
    """One of torchvision's, and how many channels it gives."""
    outputs = width * 4 if bottleneck else width
    parts = ([(width, 1, 1), (width, 3, stride), (outputs, 1, 1)] if bottleneck
             else [(width, 3, stride), (width, 3, 1)])
    layers = f" {RELU} ".join(f"{conv(*part)} {NORM}" for part in parts)
    shortcut = (f"shortcut {{ {conv(outputs, 1, stride)} {NORM} }}"
                if stride != 1 or inputs != outputs else "")
    return f"layer {{ residual {{ {layers} {shortcut} activation: RELU }} }}", outputs


def network(blocks, bottleneck):
    """The layers, and the number of the last one."""
    layers = [conv(64, 7, 2), NORM, RELU,
              "layer { max_pool { size: 3 stride: 2 padding_pixels: 1 } }"]
    channels = 64
    for stage, count in enumerate(blocks):
        for i in range(count):
            stride = 2 if stage > 0 and i == 0 else 1
            text, channels = block(64 * 2 ** stage, stride, channels, bottleneck)
            layers.append(text)
    layers += ["layer { avg_pool { global: true } }", f"layer {{ dense {{ units: {CLASSES} }} }}"]
    return " ".join(layers), len(layers) - 1


NETWORKS = {"resnet18": ((2, 2, 2, 2), False), "resnet34": ((3, 4, 6, 3), False),
            "resnet50": ((3, 4, 6, 3), True)}


@unittest.skipUnless(BENCH_PYTHON.exists(), "no torchvision: tests/bench/run.py fetches it")
class TorchvisionTest(LockstepTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        numbers = random.Random(4)
        cls.rows = [[int(numbers.random() * 256) for _ in range(SIDE * SIDE * 3)]
                    for _ in range(ROWS)]
        header = ",".join(["label"] + [f"pixel{i}" for i in range(SIDE * SIDE * 3)])
        cls.write("rows.csv", "\n".join(
            [header] + [f"{i % CLASSES}," + ",".join(map(str, row))
                        for i, row in enumerate(cls.rows)]) + "\n")
        cls.pixels = cls.write("pixels.json", json.dumps(cls.rows))

    def their_probabilities(self, name, out):
        return json.loads(run_python("torchvision_weights.py", name, CLASSES, self.pixels, out,
                                     python=BENCH_PYTHON))

    def check(self, name):
        layers, head = network(*NETWORKS[name])
        experiment = self.write(f"{name}.textproto", EXPERIMENT % (layers, name.upper(), head))
        expected = self.their_probabilities(name, self.folder / "theirs.safetensors")
        done = self.lockstep("train", experiment, "--run-dir", self.folder / name, "--threads", 2,
                             ranks=None)
        table = (self.folder / name / "initial_weights.txt").read_text()
        self.assertIn("; 0 tensors unused; ", table)
        self.assertNotIn("not in the file", table)
        self.assertIn("PyTorch's layouts", done.stdout)
        out = self.folder / "predictions.csv"
        last = sorted((self.folder / name / "checkpoints").glob("step-*"))[-1]
        self.lockstep("predict", last, "--data", self.folder / "rows.csv", "--out", out)
        with out.open(newline="") as file:
            found = [[float(row[f"p_{i}"]) for i in range(CLASSES)] for row in csv.DictReader(file)]
        self.assertEqual(len(found), ROWS)
        for mine, theirs in zip(found, expected):
            for a, b in zip(mine, theirs):
                self.assertLess(abs(a - b), 1e-4)
        # The rows differ by more than that.
        self.assertGreater(max(abs(a - b) for a, b in zip(expected[0], expected[1])), 1e-3)

    def test_resnet18(self):
        self.check("resnet18")

    def test_resnet34(self):
        self.check("resnet34")

    def test_resnet50(self):
        self.check("resnet50")


if __name__ == "__main__":
    unittest.main()
