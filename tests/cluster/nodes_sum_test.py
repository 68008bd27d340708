"""The sum between nodes: the same weights on every number of hosts and ranks, and each element
sent once a host. Hosts are network namespaces on this machine, joined by the kernel's bridge.
With LOCKSTEP_EVERY_SHAPE in the environment on many more shapes, for an hour."""

import itertools
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from host_net import LINK, HostNet
from lockstep_run import BINARY, EXPERIMENT, LockstepTest

FEWER, MORE = 9, 27  # steps that are measured
WIDE_UNITS = 3000
WIDE = """  layer { dense { units: %d activation: RELU } }
  layer { dropout { rate: 0.1 } }""" % WIDE_UNITS
# Convolution, batch norm with statistics, the wide layer, the last one, and what is counted.
VALUES = 6 * 10 + 4 * 6 + 151 * WIDE_UNITS + 5 * (WIDE_UNITS + 1) + 16

# Hosts, ranks of each, lanes, wire, least bytes of a bucket.
FEW = [(2, 1, 5, "FP32", 1000), (2, 1, 8, "FP32", 0), (2, 2, 8, "BF16", 1000),
       (3, 1, 5, "BF16", 0), (3, 2, 8, "FP32", 1000), (4, 2, 8, "FP32", 1000)]
EVERY = list(itertools.product((1, 2, 3, 4, 5, 8), (1, 2, 3), (5, 8, 16, 24), ("FP32", "BF16"),
                               (0, 1000)))
SHAPES = EVERY if "LOCKSTEP_EVERY_SHAPE" in os.environ else FEW


@unittest.skipUnless(os.geteuid() == 0, "network namespaces need root")
class NodesSumTest(LockstepTest):
    names = [f"n{letter}" for letter in "abcdefgh"[:max(shape[0] for shape in SHAPES)]]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.net = HostNet(cls.names, rate="10gbit")
        cls.addClassCleanup(cls.net.close)
        # Not below /dev/shm: that is each host's own.
        shared = tempfile.TemporaryDirectory()
        cls.addClassCleanup(shared.cleanup)
        cls.shared = Path(shared.name).resolve()
        for file in (cls.train_csv, cls.test_csv):
            shutil.copy(file, cls.shared)
        text = EXPERIMENT % {"train": cls.shared / "train.csv", "test": cls.shared / "test.csv"}
        cls.config = cls.shared / "tiny.textproto"
        cls.config.write_text(text)
        cls.wide = cls.shared / "wide.textproto"
        cls.wide.write_text(text.replace("  layer { dense { units: 16 activation: RELU } }\n"
                                         "  layer { dropout { rate: 0.1 } }", WIDE))
        cls.expected = {}

    def on_hosts(self, hosts, ranks, *words):
        """The program on the first hosts, so many ranks on each; its output."""
        names = self.names[:hosts]
        environment = {key: value for key, value in self.environment().items()
                       if not key.startswith("OMPI_MCA_btl")}
        mpirun = ["mpirun", "-q", "-np", hosts * ranks, "--oversubscribe", "--bind-to", "none",
                  "--host", ",".join(f"{name}:{ranks}" for name in names),
                  "--mca", "plm_rsh_agent", self.net.agent, "--mca", "pml", "ob1",
                  "--mca", "btl", "self,vader,tcp", "--mca", "btl_tcp_if_include", LINK,
                  "--mca", "oob_tcp_if_include", LINK, "--mca", "mpi_yield_when_idle", 1]
        command = [*self.net.entry(names[0]), *mpirun, BINARY, *words]
        done = subprocess.run(list(map(str, command)), env=environment, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=400)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def settings(self, lanes, wire, bucket_bytes):
        return ["--resume", "never", "--threads", 1, "--set", "training.epochs=1",
                "--set", f"training.lanes={lanes}", "--set", f"training.wire={wire}",
                "--set", f"training.bucket_bytes={bucket_bytes}"]

    def on_one(self, lanes, wire):
        if (lanes, wire) not in self.expected:
            done = self.run_binary("train", self.config, "--run-dir", self.folder / "alone",
                                   *self.settings(lanes, wire, 0), ranks=None)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.expected[lanes, wire] = self.digest_of(done)
        return self.expected[lanes, wire]

    def test_the_same_weights(self):
        for hosts, ranks, lanes, wire, bucket_bytes in SHAPES:
            if hosts * ranks > lanes:
                continue
            with self.subTest(hosts=hosts, ranks=ranks, lanes=lanes, wire=wire,
                              bucket_bytes=bucket_bytes):
                done = self.on_hosts(hosts, ranks, "train", self.config, "--run-dir",
                                     self.shared / "run", *self.settings(lanes, wire, bucket_bytes))
                self.assertEqual(self.digest_of(done), self.on_one(lanes, wire))
        self.assertNotEqual(self.on_one(8, "FP32"), self.on_one(8, "BF16"))

    def bytes_of_step(self, hosts, ranks, wire):
        """Sent by each host in a step, by two runs of which one has more of them."""
        sent = []
        for steps in (FEWER, MORE):
            before = [self.net.bytes_sent(name) for name in self.names[:hosts]]
            self.on_hosts(hosts, ranks, "bench", self.wide, "--steps", steps, "--threads", 1,
                          "--set", "training.lanes=8", "--set", f"training.wire={wire}")
            after = [self.net.bytes_sent(name) for name in self.names[:hosts]]
            sent.append([end - begin for begin, end in zip(before, after)])
        more_steps = MORE + MORE // 10 - FEWER  # with those before the measurement
        return [(more - fewer) / more_steps for fewer, more in zip(*sent)]

    def test_each_element_is_sent_once_a_host(self):
        for hosts, ranks, wire in ((2, 1, "FP32"), (2, 2, "FP32"), (4, 2, "FP32"), (2, 2, "BF16")):
            bytes_of_value = 2 if wire == "BF16" else 4
            once = VALUES * bytes_of_value * (hosts - 1) / hosts
            with self.subTest(hosts=hosts, ranks=ranks, wire=wire):
                for sent in self.bytes_of_step(hosts, ranks, wire):
                    # What else the two runs sent, while they began, is not the same.
                    self.assertGreater(sent, 1.9 * once)
                    self.assertLess(sent, 2.1 * once)


if __name__ == "__main__":
    unittest.main()
