"""Rows in NumPy's arrays, ARFF and LIBSVM's text: inspect tells of them, and the weights are those
that the same rows in CSV give."""

import json
import unittest

from lockstep_run import CLASSES, ROWS, SIDE, LockstepTest
from test_venv import run_python


class ArraySourcesTest(LockstepTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        run_python("write_sets.py", cls.train_csv, cls.folder, SIDE, SIDE, 1)
        cls.words = {name: ["--set", f"data.train.path={cls.folder / name}"] for name in
                     ("stored.npz", "one_hot.npz", "planes.npz", "flat.npz", "dense.arff",
                      "sparse.arff", "rows.svm")}
        cls.words["images.npy"] = ["--set", f"data.train.path={cls.folder / 'images.npy'}",
                                   "--set", f"data.train.labels={cls.folder / 'labels.npy'}"]

    def test_weights_are_those_of_csv(self):
        short = ["--set=training.epochs=1", "--resume", "never"]
        expected = self.train("csv", *short)
        for ranks, (name, words) in enumerate(sorted(self.words.items())):
            with self.subTest(name):
                digest = self.train("run", *short, *words, ranks=1 + ranks % 3)
                self.assertEqual(digest, expected)

    def test_inspect(self):
        labels = [label for label, _ in self.train_rows]
        for name, kind in {"stored.npz": "NumPy", "planes.npz": "NumPy", "flat.npz": "NumPy",
                           "splits.npz": "NumPy", "dense.arff": "ARFF"}.items():
            with self.subTest(name):
                found = json.loads(self.lockstep("inspect", self.folder / name, "--json",
                                                 ranks=None).stdout)
                self.assertEqual((found["format"], found["rows"], found["shape"]),
                                 (kind, ROWS, [SIDE, SIDE, 1]))
                if name != "splits.npz":
                    self.assertEqual(list(found["label_counts"].values()),
                                     [labels.count(label) for label in range(CLASSES)])
        text = self.lockstep("inspect", self.folder / "planes.npz", ranks=None).stdout
        self.assertIn(f"array X of ({ROWS}, 1, {SIDE}, {SIDE}), labels Y", text)

    def test_dry_run_of_splits(self):
        words = ["--set", f"data.train.path={self.folder / 'splits.npz'}"]
        for ranks in (1, 3):
            text = self.lockstep("train", self.experiment, "--dry-run", *words, ranks=ranks).stdout
            self.assertIn("array train_images of (598, 12, 12), labels train_labels, validation "
                          "rows val_images, test rows test_images", text)
            self.assertRegex(text, r"\b598\b")
            self.assertRegex(text, r"\b199\b")

    def test_a_label_that_is_said_is_not_guessed(self):
        for setting, value in (("data.label_column", "clas"), ("data.csv.label", "clas"),
                               ("data.csv.label", "99999")):
            done = self.run_binary("train", self.experiment, *self.words["dense.arff"], "--set",
                                   f"{setting}={value}", "--dry-run")
            self.assertEqual(done.returncode, 2)
            self.assertRegex(done.stderr, rf"has no column \"{value}\", which {setting} names")

    def test_faults_are_one_line(self):
        cut = self.write("cut.npz", (self.folder / "stored.npz").read_bytes()[:5000])
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776, 28, 28), }\n"
        huge = self.write("huge.npy", b"\x93NUMPY\x01\0" + bytes([len(header), 0]) + header)
        for path, words in ((cut, "cut.npz"), (huge, "does not agree with the 0 behind it")):
            for ranks in (1, 2):
                done = self.run_binary("train", self.experiment, "--set",
                                       f"data.train.path={path}", ranks=ranks)
                self.assertEqual(done.returncode, 2, done.stderr)
                lines = [line for line in done.stderr.splitlines() if str(path) in line]
                self.assertEqual(len(lines), 1, done.stderr)
                self.assertIn(words, lines[0])


if __name__ == "__main__":
    unittest.main()
