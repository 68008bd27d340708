"""Where a run computes on a host without a GPU: AUTO takes the CPU and says why, CUDA is
refused, and nothing that only GPUs need is loaded."""

import json
import re
import shutil
import subprocess
import unittest
from pathlib import Path

from lockstep_run import BINARY, LockstepTest

EXIT_USAGE = 2
REASON = r"no NVIDIA driver \(libcuda\.so\.1\) on \S+"


class PluginTest(unittest.TestCase):
    def test_needs_nothing_of_the_program(self):
        """Whose functions a library that it loads does not find."""
        plugin = Path(BINARY).parent / "liblockstep-cuda.so"
        done = subprocess.run(["nm", "--dynamic", "--demangle", plugin], check=True,
                              capture_output=True, text=True)
        self.assertRegex(done.stdout, r"(?m)^[0-9a-f]+ [A-Z] lockstep_gpu_plugin$")
        self.assertEqual(re.findall(r"(?m)^ +U (lockstep::.*)", done.stdout), [])


@unittest.skipIf(Path("/dev/nvidiactl").exists(), "this host has a GPU")
class DeviceTest(LockstepTest):
    def train_on(self, device, *arguments, run="run", ranks=1):
        return self.lockstep("train", self.experiment, "--run-dir", self.folder / run,
                             "--threads", 1, "--set", f"device={device}", "--set",
                             "training.epochs=1", *arguments, ranks=ranks)

    def recorded_device(self, run="run"):
        return json.loads((self.folder / run / "environment.json").read_text())["device"]

    def test_auto_takes_the_cpu_and_says_why(self):
        done = self.train_on("AUTO")
        self.assertRegex(done.stdout, rf"(?m)^device CPU \({REASON}\)$")
        self.assertEqual(self.recorded_device(), "CPU")
        other = self.train_on("CPU", run="other")
        self.assertRegex(other.stdout, r"(?m)^device CPU$")
        self.assertEqual(self.digest_of(other), self.digest_of(done))

    def test_cuda_is_refused_in_one_line(self):
        for ranks in (1, 2):
            done = self.run_binary("train", self.experiment, "--run-dir", self.folder / "no",
                                   "--set", "device=CUDA", ranks=ranks)
            self.assertEqual(done.returncode, EXIT_USAGE)
            self.assertRegex(done.stderr, rf"\Alockstep: device: CUDA, but {REASON}; "
                                          r"use device: CPU or AUTO\n")
            self.assertEqual(done.stderr.count("lockstep: "), 1)
            self.assertFalse((self.folder / "no").exists())

    def test_a_run_that_goes_on_elsewhere_is_warned_of(self):
        self.train_on("AUTO", run="moved")
        environment = self.folder / "moved" / "environment.json"
        environment.write_text(environment.read_text().replace('"CPU"', '"NVIDIA Example"'))
        done = self.train_on("AUTO", "--resume", "auto", "--set", "training.epochs=2", run="moved")
        self.assertRegex(done.stderr, r"(?m)^lockstep: the run was begun with another device \(NVIDIA Example\) "
                                      r"and goes on with CPU: the weights will differ in rounding$")

    @unittest.skipUnless(shutil.which("strace"), "strace is not installed")
    def test_nothing_for_gpus_is_loaded(self):
        trace = self.folder / "trace"
        subprocess.run(["strace", "-f", "-qq", "-e", "trace=openat", "-o", str(trace), BINARY,
                        "train", self.experiment, "--run-dir", self.folder / "traced", "--set",
                        "training.epochs=1"], cwd=self.folder, env=self.environment(),
                       check=True, capture_output=True)
        opened = re.findall(r'openat\([^"]*"([^"]*)"[^=]*\) = \d', trace.read_text())
        self.assertTrue(any("libtorch_cpu" in path for path in opened))
        for name in ("torch_cuda", "c10_cuda", "nccl", "cudnn", "cublas", "lockstep-cuda"):
            self.assertEqual([path for path in opened if name in path], [])


if __name__ == "__main__":
    unittest.main()
