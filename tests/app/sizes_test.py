"""What needs more memory than there is, and what only says so."""

import json
import resource
import struct
import subprocess
import unittest

from lockstep_run import BINARY, EXPERIMENT, LockstepTest

LIMIT = 4 << 30  # of address space, for the runs that must not take it


def limit_memory():
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))


class SizesTest(LockstepTest):
    def run_limited(self, *arguments):
        return subprocess.run([BINARY, *map(str, arguments)], cwd=self.folder, text=True,
                              env=self.environment(), capture_output=True,
                              preexec_fn=limit_memory)

    def with_classes(self, classes):
        return ("train", self.experiment, "--threads", 1, "--set", f"data.classes={classes}",
                "--set", f"model.layer[7].dense.units={classes}", "--set", "training.epochs=1")

    def test_many_classes_are_refused_before_they_take_the_memory(self):
        for more in ((), ("--dry-run",)):
            done = self.run_limited(*self.with_classes(65536), *more)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertRegex(done.stderr, r"\Alockstep: memory: [^\n]* fewer classes [^\n]*\n\Z")

    def test_hundreds_of_classes_are_not_printed(self):
        run = self.folder / "many"
        done = self.lockstep(*self.with_classes(1001), "--run-dir", run)
        self.assertLess(len(done.stdout), 5000)
        self.assertIn("pairs of classes that were confused", done.stdout)
        evaluation = json.loads((run / "evaluation.json").read_text())
        self.assertEqual(sum(rows for _, _, rows in evaluation["confusion"]), evaluation["rows"])
        report = (run / "classification_report.txt").read_text()
        self.assertGreater(len(report.splitlines()), 1001)

    def test_a_batch_beyond_the_rows_is_no_more_than_the_rows(self):
        done = self.run_limited("train", self.experiment, "--threads", 1, "--dry-run", "--set",
                                "training.global_batch=2147483647")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_networks_beyond_any_machine(self):
        wide = "layer { dense { units: 65536 } }\n"
        flat = "layer { flatten {} }\n"
        conv = "layer { conv { filters: %d kernel: %d padding: SAME } }\n"
        side = ("--set", "data.shape.height=4096", "--set", "data.shape.width=4096")
        for layers, more, problem in (
                (flat + wide * 400, (), "layer[17] (dense): the network has"),
                (conv % (6, 4096) + flat, (), "a 4096x4096 kernel of stride 1 on an input of 12x12x1"),
                (conv % (65536, 4096) + flat, side, "a weight of 65536x4096x4096x1: at most"),
                (conv % (65536, 1) + flat, side, "gives 4096x4096x65536: at most"),
                (conv % (100, 1) + conv % (100, 80) + flat, side, "1.1e+15 multiply-adds")):
            text = EXPERIMENT % {"train": self.train_csv, "test": self.test_csv}
            begin, end = text.index("  layer {"), text.rindex("  layer {")
            path = self.write("wide.textproto", text[:begin] + layers + text[end:])
            for also in ((), ("--dry-run", "--set", "training.global_batch=2147483647")):
                with self.subTest(problem, also=also):
                    done = self.run_limited("train", path, "--threads", 1, *more, *also)
                    self.assertEqual(done.returncode, 2, done.stderr)
                    self.assertRegex(done.stderr, r"\Alockstep: [^\n]+\n\Z")
                    self.assertIn(problem, done.stderr)

    def test_a_file_that_promises_more_than_it_holds(self):
        # Weights of 8 GB by its experiment, and no tensor.
        text = EXPERIMENT % {"train": self.train_csv, "test": self.test_csv}
        text = text.replace("dense { units: 16 activation", "dense { units: 45000 } }\n"
                            "  layer { dense { units: 45000 activation")
        metadata = {"lockstep.experiment": text, "lockstep.classes": '["0","1","2","3","4"]',
                    "lockstep.normalization": '{"factor":[1],"offset":[0]}'}
        header = json.dumps({"__metadata__": metadata}).encode()
        evil = self.write("evil.safetensors", struct.pack("<Q", len(header)) + header)
        done = self.run_limited("evaluate", evil)
        self.assertEqual((done.returncode, done.stderr), (
            2, f"lockstep: {evil}: the file has 0 tensors, the model 12\n"))

    def test_headers_that_only_nest(self):
        for text in ("[" * 20_000_000, '{"a":' * 4_000_000, '{"w":{"shape":[' + "0," * 10_000_000):
            header = text.encode()
            evil = self.write("nested.safetensors", struct.pack("<Q", len(header)) + header)
            done = self.run_limited("inspect", evil)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertRegex(done.stderr, r"\Alockstep: [^\n]*safetensors[^\n]+\n\Z")


if __name__ == "__main__":
    unittest.main()
