"""Trained weights in use: evaluate, predict and submit."""

import csv
import gzip
import json
import os
import shutil
import struct
import subprocess
import unittest

from lockstep_run import CLASSES, SIDE, LockstepTest, csv_text
from weights_file import read_weights, weights_content

# Names that a CSV file has to quote among them.
NAMES = ["lowest", "low, but not lowest", "middle", 'the "high" one', "größte"]


def class_names_field():
    return "class_names: [" + ", ".join("'" + name + "'" for name in NAMES) + "]"


class UseTest(LockstepTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        text = cls.experiment.read_text().replace("classes: 5", "classes: 5 " + class_names_field())
        cls.experiment = cls.write("named.textproto", text)
        cls.run_dir = cls.folder / "run"
        done = cls.run_binary("train", cls.experiment, "--run-dir", cls.run_dir,
                              "--set", "training.epochs=1")
        assert done.returncode == 0, done.stderr
        cls.labelled_csv = cls.write("labelled.csv", csv_text(cls.test_rows))

    def written(self, command, *arguments, ranks=None):
        """The bytes that predict or submit writes."""
        out = self.folder / f"{command}.out"
        out.unlink(missing_ok=True)
        self.lockstep(command, self.run_dir, "--out", out, *arguments, ranks=ranks)
        return out.read_bytes()

    def predictions(self, *arguments, ranks=None):
        """The table that predict writes, without its header."""
        table = list(csv.reader(self.written("predict", *arguments, ranks=ranks)
                                .decode().splitlines()))
        self.assertEqual(table[0], ["row", "class"] + ["p_" + name for name in NAMES])
        return table[1:]

    def evaluation(self, *arguments, ranks=None):
        return self.lockstep("evaluate", self.run_dir, "--json", *arguments, ranks=ranks).stdout

    def refused(self, *arguments, rank_counts=(None, 2)):
        for ranks in rank_counts:
            done = self.run_binary(*arguments, ranks=ranks)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertRegex(done.stderr, r"\Alockstep: [^\n]*\n\Z")
        return done.stderr

    def test_version_says_what_it_was_built_with(self):
        done = self.lockstep("--version")
        self.assertRegex(done.stdout, r"\Alockstep \d+\.\d+\.\d+, LibTorch 2\.11\.0, \S+ [\d.]+\n\Z")

    def test_evaluate_on_any_number_of_ranks(self):
        alone = self.evaluation("--threads", 1)
        for ranks, threads in ((1, 3), (2, 1), (3, 2), (4, 1)):
            self.assertEqual(self.evaluation("--threads", threads, ranks=ranks), alone)
        report = self.lockstep("evaluate", self.run_dir).stdout
        self.assertEqual(self.lockstep("evaluate", self.run_dir, ranks=3).stdout, report)
        self.assertIn(NAMES[4], report)

    def test_evaluate_gives_the_evaluation_of_the_run(self):
        # One epoch: the best weights are the final ones.
        expected = (self.run_dir / "evaluation.json").read_text()
        out = self.folder / "evaluation.json"
        self.assertEqual(self.evaluation("--out", out), expected)
        self.assertEqual(out.read_text(), expected)
        self.assertEqual(json.loads(expected)["class_names"], NAMES)

    def test_predict_and_submit_on_any_number_of_ranks(self):
        # 301 rows are 3 chunks, so that of 4 ranks one has none.
        for command in ("predict", "submit"):
            alone = self.written(command, "--threads", 1)
            for ranks, threads in ((1, 3), (2, 1), (3, 2), (4, 1)):
                with self.subTest(command, ranks=ranks):
                    self.assertEqual(self.written(command, "--threads", threads, ranks=ranks),
                                     alone)

    def test_probabilities(self):
        table = self.predictions()
        self.assertEqual([row[0] for row in table], [str(i + 1) for i in range(301)])
        for row in table:
            values = [float(value) for value in row[2:]]
            self.assertEqual(len(values), CLASSES)
            self.assertAlmostEqual(sum(values), 1, delta=CLASSES * 0.5e-6)
            self.assertEqual(values[NAMES.index(row[1])], max(values))

    def test_submission(self):
        lines = self.written("submit").decode().split("\n")
        self.assertEqual(lines[0], "ImageId,Label")
        self.assertEqual(lines[-1], "")
        classes = [NAMES.index(row[1]) for row in self.predictions()]
        self.assertEqual(lines[1:-1], [f"{i + 1},{label}" for i, label in enumerate(classes)])

    def test_evaluation_follows_from_the_predictions(self):
        table = self.predictions("--data", self.labelled_csv)
        confusion = [[0] * CLASSES for _ in range(CLASSES)]
        for (label, _), row in zip(self.test_rows, table):
            confusion[label][NAMES.index(row[1])] += 1
        correct = sum(confusion[label][label] for label in range(CLASSES))
        self.assertLess(correct, 301)  # errors to be counted
        evaluation = json.loads(self.evaluation("--data", self.labelled_csv, ranks=3))
        self.assertEqual(evaluation["confusion"], confusion)
        self.assertEqual((evaluation["rows"], evaluation["correct"]), (301, correct))
        self.assertEqual(evaluation["accuracy"], correct / 301)

    def test_rows_among_the_likeliest_classes(self):
        table = self.predictions("--data", self.labelled_csv)
        ranks = [sorted(map(float, row[2:]), reverse=True).index(float(row[2 + label]))
                 for (label, _), row in zip(self.test_rows, table)]
        for top in (1, 2, 4):
            evaluation = json.loads(self.evaluation("--data", self.labelled_csv, "--top-k", top))
            hits = sum(rank < top for rank in ranks)
            self.assertEqual([evaluation[key] for key in ("top_k", "top_k_correct",
                                                          "top_k_accuracy")],
                             [top, hits, hits / 301])
        report = self.lockstep("evaluate", self.run_dir, "--top-k", 3).stdout
        self.assertRegex(report, r"\Aaccuracy \d\.\d{4}  top-3 accuracy \d\.\d{4}  loss ")
        self.assertIn("--top-k is 5; expected below the model's classes, 5",
                      self.refused("evaluate", self.run_dir, "--top-k", 5))

    def test_averages_of_mirror_images(self):
        mirrored = [(label, [value for first in range(0, SIDE * SIDE, SIDE)
                             for value in reversed(row[first:first + SIDE])])
                    for label, row in self.test_rows]
        other = self.write("mirrored.csv", csv_text(mirrored))
        words = ("--data", self.labelled_csv)
        average = self.evaluation(*words, "--average-flips", ranks=2)
        self.assertEqual(self.evaluation("--data", other, "--average-flips"), average)
        self.assertNotEqual(self.evaluation(*words), average)
        shifted = self.evaluation(*words, "--average-flips", "--average-shifts", 1, ranks=2)
        self.assertNotEqual(shifted, average)
        self.assertIn(f"--average-shifts is {SIDE}; expected below the image's shorter side, {SIDE}",
                      self.refused("evaluate", self.run_dir, "--average-shifts", SIDE))

    def test_labels_do_not_change_predictions(self):
        self.assertEqual(self.written("predict", "--data", self.labelled_csv),
                         self.written("predict", "--data", self.test_csv, ranks=2))

    def test_unlabelled_rows_cannot_be_evaluated(self):
        message = self.refused("evaluate", self.run_dir, "--data", self.test_csv)
        self.assertIn('"label"', message)
        self.assertIn("test.csv:1:1:", message)

    def test_idx_files(self):
        pixels = b"".join(bytes(row) for _, row in self.test_rows)
        images = self.write("images.idx", struct.pack(">IIII", 0x803, 301, SIDE, SIDE) + pixels)
        labels = bytes(label for label, _ in self.test_rows)
        plain = self.write("labels.idx", struct.pack(">II", 0x801, 301) + labels)
        packed = self.write("labels.gz", gzip.compress(plain.read_bytes()))
        expected = self.evaluation("--data", self.labelled_csv)
        self.assertEqual(self.evaluation("--data", images, "--labels", plain), expected)
        self.assertEqual(self.evaluation("--data", images, "--labels", packed, ranks=3), expected)
        self.assertEqual(self.written("submit", "--data", images, ranks=2),
                         self.written("submit"))
        self.assertIn("labels", self.refused("evaluate", self.run_dir, "--data", images))
        short = self.write("short.idx", struct.pack(">II", 0x801, 300) + labels[:300])
        self.assertIn("300 labels", self.refused("evaluate", self.run_dir, "--data", images,
                                                 "--labels", short))

    def test_every_form_of_checkpoint(self):
        best = self.run_dir / "checkpoints" / "best"
        expected = self.evaluation()
        for form in (best, best.resolve(), best / "weights.safetensors"):
            with self.subTest(form):
                self.assertEqual(self.lockstep("evaluate", form, "--json").stdout, expected)

    def test_weights_that_cannot_be_used_are_refused(self):
        content = (self.run_dir / "checkpoints" / "best" / "weights.safetensors").read_bytes()
        bytes_of_header = struct.unpack("<Q", content[:8])[0]
        header = json.loads(content[8:8 + bytes_of_header])
        values = content[8 + bytes_of_header:]

        def written(name, metadata, values):
            text = json.dumps(header | {"__metadata__": header["__metadata__"] | metadata})
            text += " " * (-len(text) % 8)
            return self.write(name, struct.pack("<Q", len(text)) + text.encode() + values)

        channels = json.dumps({"factor": [1, 1], "offset": []})
        wrong = written("channels.safetensors", {"lockstep.normalization": channels}, values)
        self.assertIn("for 2 and 0 channels; expected 1",
                      self.refused("evaluate", wrong, rank_counts=[None]))
        nan = struct.pack("<f", float("nan"))
        wrong = written("nan.safetensors", {}, nan + values[4:])
        self.assertIn("not all of its weights are finite",
                      self.refused("evaluate", wrong, rank_counts=[None]))

    def test_checkpoint_that_is_not_whole_is_refused(self):
        damaged = self.folder / "not-whole"
        shutil.copytree(self.run_dir, damaged, symlinks=True)
        weights = damaged / "checkpoints" / "best" / "weights.safetensors"
        content = bytearray(weights.read_bytes())
        content[-8:-4] = struct.pack("<f", 7)  # still a weight
        weights.write_bytes(content)
        for command in (["evaluate", damaged], ["evaluate", weights],
                        ["submit", damaged, "--out", self.folder / "no.csv"]):
            message = self.refused(*command)
            self.assertIn("weights.safetensors: damaged: its digest", message)

    def test_a_pipe_is_written_to(self):
        whole = self.written("submit")
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
            self.lockstep("submit", self.run_dir, "--out", pipe)
            self.assertEqual(reader.communicate(timeout=200)[0], whole)
        self.assertTrue(pipe.is_fifo())

    def test_damaged_weights_are_refused(self):
        content = (self.run_dir / "checkpoints" / "best" / "weights.safetensors").read_bytes()
        for name, damaged in (("cut.safetensors", content[:-4]),
                              ("long.safetensors", content + b"\0" * 4),
                              ("headless.safetensors", content[8:])):
            path = self.write(name, damaged)
            with self.subTest(name):
                self.assertIn(name, self.refused("evaluate", path, rank_counts=[None]))


class GivenLabelsTest(LockstepTest):
    """data.labels: the order of the classes, and their names."""

    LABELS = ["gnu", "fox", "eel", "dog", "cat"]

    def test_classes_have_the_names_of_their_labels(self):
        named = [(self.LABELS[label], pixels) for label, pixels in self.train_rows]
        rows = self.write("named.csv", csv_text(named))
        self.train("run", "--set", f"data.train.path={rows}", "--set", "training.epochs=1",
                   "--set", "data.labels=" + ",".join(self.LABELS))
        for command in ("predict", "submit"):
            self.lockstep(command, "run", "--data", rows, "--out", f"{command}.csv")
        predicted, submitted = (
            list(csv.reader((self.folder / f"{command}.csv").read_text().splitlines()))
            for command in ("predict", "submit"))
        self.assertEqual(predicted[0][2:], ["p_" + label for label in self.LABELS])
        classes = [row[1] for row in predicted[1:]]
        self.assertEqual(classes, [row[1] for row in submitted[1:]])
        found = json.loads(self.lockstep("evaluate", "run", "--data", rows, "--json").stdout)
        self.assertEqual(found["class_names"], self.LABELS)
        self.assertEqual(found["correct"], sum(a == b for a, (b, _) in zip(classes, named)))
        run = self.folder / "run"
        self.assertEqual(json.loads((run / "evaluation.json").read_text())["class_names"],
                         self.LABELS)
        self.lockstep("report", "run")
        for name in ("classification_report.txt", "report.html"):
            text = (run / name).read_text()
            for label in self.LABELS:
                self.assertIn(label, text)
        again = self.lockstep("train", self.experiment, "--set", f"data.train.path={rows}",
                              "--set", "training.epochs=1", "--set",
                              "data.labels=" + ",".join(self.LABELS), "--run-dir", "run")
        self.assertIn("going on in run\n", again.stdout)

    def test_labels_that_were_found_may_be_given_when_a_run_goes_on(self):
        rows = self.write("found.csv", csv_text([(self.LABELS[label], pixels)
                                                 for label, pixels in self.train_rows]))
        words = ("train", self.experiment, "--set", f"data.train.path={rows}", "--set",
                 "training.epochs=1", "--run-dir", "found")
        self.lockstep(*words)
        labels = "data.labels=" + ",".join(sorted(self.LABELS))
        self.assertIn("going on in found\n", self.lockstep(*words, "--set", labels).stdout)
        refused = self.run_binary(*words, "--set", labels, "--set", "data.class_names=a,b,c,d,e")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("data.class_names[0]", refused.stderr)

    def test_a_model_of_a_version_that_let_a_label_pass_twice_is_used(self):
        labels = ("--set", "data.labels=4,3,2,1,0")
        self.train("twice", "--set", "training.epochs=1", *labels)
        path = self.folder / "twice" / "checkpoints" / "step-00000017" / "weights.safetensors"
        metadata, tensors = read_weights(path)
        experiment = metadata["lockstep.experiment"]
        self.assertEqual(experiment.count('labels: "3"'), 1)
        metadata["lockstep.experiment"] = experiment.replace('labels: "3"', 'labels: "4"')
        old = self.folder / "old.safetensors"
        old.write_bytes(weights_content(metadata, tensors))
        done = self.run_binary("predict", old, "--data", self.test_csv, "--out", "old.csv", ranks=2)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, f'lockstep: {old}: data.labels holds "4" twice, which an '
                         "earlier version let pass: both are one class, and the last class has no "
                         "rows\n")

    def test_names_go_before_labels(self):
        self.train("renamed", "--set", "training.epochs=1", "--set", "data.labels=4,3,2,1,0",
                   "--set", "data.class_names=e,d,c,b,a")
        found = json.loads(self.lockstep("evaluate", "renamed", "--json").stdout)
        self.assertEqual(found["class_names"], list("edcba"))


if __name__ == "__main__":
    unittest.main()
