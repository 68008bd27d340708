"""Counts: classes that no experiment tells, those without a training row, words beside a 1."""

import unittest

from lockstep_run import CLASSES, EXPERIMENT, LockstepTest, csv_text


class CountedClassesTest(LockstepTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        text = EXPERIMENT.replace("  classes: 5\n", "").replace("dense { units: 5 }", "logits {}")
        cls.counted = cls.write_experiment("counted.textproto", text=text)

    def test_weights_are_those_of_the_experiment_that_tells_them(self):
        told = self.train("told")
        for ranks in (1, 3):
            run = f"counted-{ranks}"
            self.assertEqual(self.train(run, ranks=ranks, experiment=self.counted), told)
            resolved = (self.folder / run / "experiment.textproto").read_text()
            self.assertIn(f"  classes: {CLASSES}\n", resolved)
            self.assertIn("logits {", resolved)
        again = self.lockstep("train", self.counted, "--run-dir", "counted-1")
        self.assertEqual(self.digest_of(again), told)
        self.assertIn("going on in counted-1\n", again.stdout)
        self.lockstep("verify", "counted-3")
        for run in ("told", "counted-1"):
            self.lockstep("predict", run, "--data", self.test_csv, "--out", f"{run}.csv")
        self.assertEqual((self.folder / "told.csv").read_text(),
                         (self.folder / "counted-1.csv").read_text())

    def test_what_needs_no_data_does_without(self):
        words = (self.counted, "--set", "data.train.path=none.csv")
        self.assertIn('"lanes": 5', self.lockstep("train", *words, "--needs").stdout)
        shown = self.lockstep("train", *words, "--print-config").stdout
        self.assertRegex(shown, r"classes: 0 +# default\n")

    def test_what_looks_at_the_data_counts(self):
        for words in (("train", self.counted, "--dry-run"), ("inspect", self.counted)):
            text = self.lockstep(*words).stdout
            self.assertRegex(text, rf"logits 5 +{CLASSES} ")
        self.assertIn("images/s", self.lockstep("bench", self.counted, "--steps", 2).stdout)

    def test_weights_of_classes_count_none(self):
        words = ("--set", "training.class_weights=1,2,3,2,1")
        self.assertEqual(self.train("weighted", *words, experiment=self.counted),
                         self.train("weighted-told", *words))

    def test_refusals(self):
        one = self.write("one.csv", csv_text([(3, pixels) for _, pixels in self.train_rows[:99]]))
        for words, message in (
                (["--set", f"data.train.path={one}"], "data.train: 1 class; expected from 2 to"),
                (["--set", "data.class_names=a,b"], "is out of range; expected a label from 0 to 1"),
                (["--set", "training.class_weights=1"],
                 "training.class_weights has 1 number; expected 5, as many as labels were found"),
                (["--set", "training.class_weights=1,1,1,1"], "has 4 numbers; expected 5, as many"),
                (["--set", "training.class_weights=1,1,1,1,1,1"], "has 6 numbers; expected 5, as"),
                (["--set", "model.layer[6].logits={}"], "model.layer[6] (logits): must be the last")):
            for more in ([], ["--dry-run"]):
                done = self.run_binary("train", self.counted, *words, *more, ranks=2)
                self.assertEqual(done.returncode, 2, done.stdout)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                self.assertIn(message, done.stderr)


class MissingClassesTest(LockstepTest):
    def test_training_and_plan_warn_in_one_line(self):
        for classes, count, row in ((CLASSES, None, None),
                                    (6, "1 of 6 classes has no", "it is 5"),
                                    (7, "2 of 7 classes have no", "the first of them is 5")):
            words = [self.experiment, "--set", f"data.classes={classes}", "--set",
                     f"model.layer[7].dense.units={classes}", "--set", "training.epochs=1"]
            for ranks in (1, 2):
                done = self.lockstep("train", *words, "--run-dir", "run", "--resume", "never",
                                     ranks=ranks)
                planned = self.lockstep("train", *words, "--dry-run", ranks=ranks)
                if count is None:
                    self.assertEqual(done.stderr, "")
                    self.assertNotIn("warning: ", planned.stdout)
                    continue
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                self.assertIn(f"{count} training row, {row}\n", done.stderr)
                self.assertIn(f"warning: {count} row there, {row}\n", planned.stdout)


class SingularTest(LockstepTest):
    def test_one_validation_row(self):
        rows = self.write("few.csv", csv_text(self.train_rows[:20]))
        words = [self.experiment, "--set", f"data.train.path={rows}", "--set",
                 "data.validation.fraction=0.05", "--set", "data.validation.stratified=false",
                 "--set", "training.epochs=1", "--set", "data.test.path="]
        trained = self.lockstep("train", *words, "--run-dir", "run").stdout
        self.assertIn("(macro averages, 1 validation row)\n", trained)
        self.assertIn("; 1 epoch of 1 step, ", trained)
        planned = self.lockstep("train", *words, "--dry-run").stdout
        self.assertIn("split     19 training and 1 validation row\n", planned)
        self.assertIn(" in 1 epoch; ", planned)
        self.assertIn("1 epoch and 0 steps done", self.lockstep(
            "inspect", self.folder / "run" / "checkpoints" / "step-00000001").stdout)
        done = self.run_binary("verify", "run")
        self.assertIn("run: 1 checkpoint; a replay needs", done.stderr)
        for text in (trained, planned):
            self.assertNotRegex(text, r"\b1 (\w+ )?(rows|epochs|steps|ranks|workers|lanes)\b")

    def test_one_row_one_pixel_one_name(self):
        data = self.write("one.csv", "label,p\n0,7\n")
        text = self.lockstep("inspect", data).stdout
        self.assertIn("images   1 pixel each: 1x1x1", text)
        self.assertIn("0          1 row   100.00%\n", text)
        for words, message in (
                (["--set", "data.class_names=a"], "data.class_names has 1 name; expected none"),
                (["--set", f"data.train.path={data}"], "1 pixel column besides column")):
            done = self.run_binary("train", self.experiment, *words)
            self.assertEqual(done.returncode, 2)
            self.assertIn(message, done.stderr)


if __name__ == "__main__":
    unittest.main()
