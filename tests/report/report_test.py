"""The report of a run, through the binary."""

import csv
import json
import re
import shutil
import unittest
from xml.etree import ElementTree

from lockstep_run import CLASSES, SIDE
from report_page import NAMES, Page, ReportCase, image_of, png_data

FILES = {"report.html", "confusion_matrix.png", "confusion_matrix.svg", "curves.png", "curves.svg",
         "misclassified.png", "predictions.png", "samples.png"}
SCALE = 2  # of the PNG files

# Beside the turns and shifts of the experiment itself.
CHANGES = ("--set", "data.augmentation.flip=0.5", "--set", "data.augmentation.mixup_alpha=0.2",
           "--set", "data.augmentation.cutmix_alpha=1", "--set", "data.augmentation.erase={}",
           "--set", "evaluation={ top_k: 2 average_flips: true }")


class ReportTest(ReportCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_dir = cls.train_once("run", *CHANGES)
        cls.text = (cls.run_dir / "report.html").read_text()
        cls.evaluation = json.loads((cls.run_dir / "evaluation.json").read_text())

    def setUp(self):
        self.page = self.check_page(self.text)

    def test_files(self):
        self.assertLessEqual(FILES, {path.name for path in self.run_dir.iterdir()})

    def test_the_same_on_any_number_of_ranks(self):
        # Without the training's own ranks and times, which are in the run folder.
        for ranks in (None, 1, 2, 3):
            out = self.folder / f"out-{ranks}"
            self.lockstep("report", self.run_dir, "--out", out, ranks=ranks)
            self.assertEqual({path.name for path in out.iterdir()}, FILES)
            for name in FILES:
                self.assertEqual((out / name).read_bytes(), (self.run_dir / name).read_bytes(),
                                 f"{name} on {ranks} ranks")

    def test_trained_on_another_number_of_ranks(self):
        alone = self.train_once("alone", *CHANGES, ranks=1)
        for name in FILES - {"report.html"}:
            self.assertEqual((alone / name).read_bytes(), (self.run_dir / name).read_bytes(), name)
        other = Page((alone / "report.html").read_text())
        for section in ("curves", "confusion", "classes", "mistakes", "predictions", "data"):
            self.assertEqual(ElementTree.tostring(other.section(section)),
                             ElementTree.tostring(self.page.section(section)), section)

    def test_values_are_those_of_the_evaluation(self):
        cards, evaluation = self.page.cards(), self.evaluation
        self.assertEqual(cards["accuracy"],
                         [f"{100 * evaluation['accuracy']:.2f}%",
                          f"{evaluation['correct']} of 199 validation rows"])
        self.assertEqual(cards["top-2 accuracy"],
                         [f"{100 * evaluation['top_k_accuracy']:.2f}%",
                          f"{evaluation['top_k_correct']} of 199 validation rows"])
        self.assertEqual(cards["loss"][0], f"{evaluation['loss']:.4f}")
        self.assertEqual(cards["macro F1"][0], f"{evaluation['macro']['f1']:.4f}")
        self.assertEqual(cards["wrong"][0], str(199 - evaluation["correct"]))
        self.assertEqual(cards["rows"], ["798", "training, 199 validation"])
        expected = [*evaluation["per_class"], evaluation["macro"], evaluation["weighted"]]
        self.assertEqual(self.page.table("classes"),
                         [[name, *(f"{line[key]:.4f}" for key in ("precision", "recall", "f1")),
                           str(line["support"])]
                          for name, line in zip([*NAMES, "macro avg", "weighted avg"], expected)])

    def test_confusion_matrix(self):
        tips = [title.text for title in self.page.section("confusion").iter("title")]
        expected = []
        for truth, line in enumerate(self.evaluation["confusion"]):
            for predicted, count in enumerate(line):
                share = 100 * count / sum(line)
                expected.append(f"true {NAMES[truth]}, predicted {NAMES[predicted]}: {count} of "
                                f"{sum(line)} rows ({share:.2f}%)")
        self.assertEqual(tips, expected)
        pairs = [(int(count), truth, predicted)
                 for truth, predicted, count, _ in self.page.table("confusion")]
        wrong = [(count, NAMES[truth], NAMES[predicted])
                 for truth, line in enumerate(self.evaluation["confusion"])
                 for predicted, count in enumerate(line) if truth != predicted and count]
        self.assertEqual(pairs, sorted(wrong, key=lambda each: -each[0])[:12])

    def predictions(self):
        """name -> probability of each labelled row, as predict gives them."""
        out = self.folder / "p.csv"
        self.lockstep("predict", self.run_dir, "--data", self.train_csv, "--out", out)
        with out.open(newline="") as file:
            lines = list(csv.reader(file))[1:]
        return [dict(zip(NAMES, map(float, line[2:]))) for line in lines]

    def test_misclassified_rows(self):
        shots = self.page.shots("mistakes")
        self.assertEqual(len(shots), min(48, 199 - self.evaluation["correct"]))
        self.assertGreater(len(shots), 3)
        predictions = self.predictions()
        for row, (truth, predicted), share, image in shots:
            self.assertEqual(truth, NAMES[self.train_rows[row - 1][0]])
            self.assertEqual(image, self.pixels_of(row))
            chances = predictions[row - 1]
            self.assertEqual(predicted, max(chances, key=chances.get))
            self.assertAlmostEqual(share, 100 * chances[predicted], delta=0.0501)
        shares = [share for _, _, share, _ in shots]
        self.assertEqual(shares, sorted(shares, reverse=True))
        self.assertEqual(len({row for row, *_ in shots}), len(shots))

    def test_rows_chosen_at_random(self):
        shots = self.page.shots("predictions")
        self.assertEqual(len({row for row, *_ in shots}), 24)
        predictions = self.predictions()
        for row, names, share, image in shots:
            self.assertEqual(names[0], NAMES[self.train_rows[row - 1][0]])
            self.assertEqual(image, self.pixels_of(row))
            chances = predictions[row - 1]
            self.assertEqual(names[-1], max(chances, key=chances.get))
            self.assertAlmostEqual(share, 100 * chances[names[-1]], delta=0.0501)

    def test_training_rows(self):
        strips = [each for each in self.page.section("data").iter("div")
                  if each.get("class") == "strip"]
        self.assertEqual(len(strips), 10)
        for strip in strips:
            name, *images = strip
            row = int(name.find("span").text.removeprefix("row "))
            self.assertEqual(name.find("strong").text, NAMES[self.train_rows[row - 1][0]])
            images = [image_of(each) for each in images]
            self.assertEqual(len(images), 5)
            self.assertEqual(images[0], self.pixels_of(row))
            for image in images[1:]:  # augmented
                self.assertEqual(image[:3], (SIDE, SIDE, 1))
                self.assertNotEqual(image, images[0])

    def test_balance_of_the_classes(self):
        texts = [each.text for each in self.page.section("classes").iter("text")]
        self.assertEqual(texts[:2], ["training", "validation"])
        labels = [label for label, _ in self.train_rows]
        for index in range(CLASSES):
            support = self.evaluation["per_class"][index]["support"]
            self.assertEqual(texts[3 + 3 * index:5 + 3 * index],
                             [str(labels.count(index) - support), str(support)])

    def test_facts(self):
        experiment = (self.run_dir / "experiment.textproto").read_text()
        self.assertEqual("".join(next(self.page.section("experiment").iter("pre")).itertext()),
                         experiment)
        facts = dict(self.page.table("environment"))
        self.assertEqual(facts["world_size"], "2")
        self.assertRegex(facts["weights"], r"\Axxh3:[0-9a-f]{32}\Z")
        self.assertEqual([line[:2] for line in self.page.table("model")[:2]],
                         [["input", "12 × 12 × 1"], ["conv 6 3x3 relu", "10 × 10 × 6"]])
        self.assertEqual([line[0] for line in self.page.table("times")], ["0", "1"])
        self.assertEqual([line[0] for line in self.page.table("epochs")], ["1"])

    def test_png_files(self):
        mistakes = min(48, 199 - self.evaluation["correct"])
        sizes = {"curves.png": (3 * 380, 2 * 230),
                 "misclassified.png": (2 * 14 + 8 * 118, 36 + 4 + 138 * -(-mistakes // 8)),
                 "predictions.png": (2 * 14 + 8 * 118, 36 + 4 + 138 * 3),
                 "samples.png": (2 * 14 + 130 + 10 + 5 * 76, 36 + 22 + 10 * 76)}
        for name in sorted(each for each in FILES if each.endswith(".png")):
            width, height, channels, data = png_data((self.run_dir / name).read_bytes())
            self.assertEqual(channels, 3, name)
            if name in sizes:
                self.assertEqual((width, height), tuple(SCALE * each for each in sizes[name]), name)
            self.assertGreater(len(set(data)), 10, name)  # text and pictures, no blank sheet

    def test_svg_files(self):
        for name in ("curves.svg", "confusion_matrix.svg"):
            text = (self.run_dir / name).read_text()
            root = ElementTree.fromstring(text)
            self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
            self.assertEqual(len(re.findall("https?://", text)), 1)  # the name of the format
            self.assertNotIn("<script", text)

    def test_long_runs_stay_small(self):
        long = self.folder / "long"
        shutil.copytree(self.run_dir, long, symlinks=True)
        lines = []
        for epoch in range(1, 51):
            loss = 2 / epoch
            for step in range(100 * epoch - 99, 100 * epoch + 1):
                lines.append({"kind": "step", "epoch": epoch, "step": step, "train_loss": loss,
                              "train_accuracy": 1 - loss / 3, "learning_rate": 0.001,
                              "images_per_second": 1000.0, "seconds": step / 10})
            lines.append({**lines[-1], "kind": "epoch", "val_loss": None if epoch == 7 else loss,
                          "val_accuracy": 1 - 1 / epoch, "seconds": 10.0,
                          "weights_digest": "0" * 32})
        metrics = "".join(json.dumps(line) + "\n" for line in lines)
        (long / "metrics.jsonl").write_text(metrics + '{"kind": "other"}\n{"kind": "ep')
        self.lockstep("report", long)
        text = (long / "report.html").read_text()
        page = self.check_page(text)
        self.assertLess(len(text.encode()), 3_000_000)
        table = page.table("epochs")
        self.assertEqual([int(line[0]) for line in table], list(range(1, 51)))
        self.assertEqual(table[6][3], "n/a")
        self.assertEqual(page.cards()["training time"], ["8 min 20 s", "50 epochs, 5,000 steps"])
        self.assertEqual(page.cards()["images/s"][0], "1,000")

    def test_without_validation_rows(self):
        run = self.train_once("unchecked", "--set", "data.validation.fraction=0")
        page = self.check_page((run / "report.html").read_text())
        self.assertIsNone(page.section("confusion"))
        self.assertNotIn("accuracy", page.cards())

    def test_refusals(self):
        empty = self.folder / "empty"
        empty.mkdir()
        for arguments, word in (((empty,), "experiment.textproto"),
                                ((self.folder / "nowhere",), "experiment.textproto"),
                                ((self.run_dir, empty), "experiment.textproto"),
                                ((self.run_dir, "--out", self.train_csv), "train.csv"),
                                ((self.run_dir, self.run_dir, "--out", empty), "is a folder")):
            for ranks in (None, 2):
                done = self.run_binary("report", *arguments, ranks=ranks)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertRegex(done.stderr, r"\Alockstep: [^\n]*\n\Z")
                self.assertIn(word, done.stderr)


if __name__ == "__main__":
    unittest.main()
