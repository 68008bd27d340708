"""resnet18 and resnet50 are torchvision's networks: with its weights, they give its logits and its
gradients."""

import json
import tempfile
import unittest
from pathlib import Path

from test_venv import BENCH_PYTHON, run_python

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@unittest.skipUnless(BENCH_PYTHON.exists(), "no torchvision package: tests/bench/run.py fetches it")
class TorchvisionTest(unittest.TestCase):
    def check(self, depth, parameters):
        with tempfile.TemporaryDirectory() as folder:
            found = json.loads(run_python("torchvision_pass.py", depth,
                                          CONFIGS / f"resnet{depth}.textproto", folder,
                                          python=BENCH_PYTHON))
        self.assertEqual(found["parameters"], parameters)
        self.assertEqual(found["unknown"], [])
        # They tell classes apart, so that being near them means something.
        self.assertGreater(found["spread_of_logits"], 0.1)
        self.assertLess(found["logits"], 1e-4)
        self.assertLess(found["loss"], 1e-4)
        # Where torchvision's own gradients in fp32 are further than that from those in double, ours
        # may be so too: the network magnifies rounding.
        for name, distance in found["gradients"].items():
            self.assertLess(distance, max(1e-4, 3 * found["torchvisions"][name]), name)

    def test_resnet18(self):
        self.check(18, 62)

    def test_resnet50(self):
        self.check(50, 161)


if __name__ == "__main__":
    unittest.main()
