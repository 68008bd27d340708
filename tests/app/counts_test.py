"""Counts in messages: classes without a training row, and words beside a 1."""

import unittest

from lockstep_run import CLASSES, LockstepTest, csv_text


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
