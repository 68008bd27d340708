"""Sweeps by the launcher and the real program: the weights of single runs, going on after
a stop, failures, and the report."""

import json
import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

from lockstep_run import BINARY, TIME_LIMIT_SECONDS
from report_page import ReportCase

ROOT = Path(__file__).resolve().parents[2]
RATES = ("0.001", "0.01")
SEEDS = ("1", "2")

# The launcher, with the binary of this test and nothing to build or install.
LAUNCH = """
import runpy, sys
from pathlib import Path
launcher, binary = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.insert(0, str(launcher))
import build
build.Project.prepare = lambda project, program=None: "up to date"
whole = build.Project.__init__
def with_binary(project, root):
    whole(project, root)
    project.binary = binary
build.Project.__init__ = with_binary
sys.argv = ["lockstep", *sys.argv[3:]]
runpy.run_path(str(launcher / "lockstep"), run_name="__main__")
"""


class SweepReportTest(ReportCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.done = cls.sweep("both", "--set", "optimizer.adam.learning_rate=" + ",".join(RATES),
                             "--set", "seed=1:2", "--set", "training.epochs=1", "--jobs", "2")

    @classmethod
    def command(cls, run_dir, *words):
        return [sys.executable, "-c", LAUNCH, ROOT / "launcher", BINARY, "sweep",
                cls.experiment, "--run-dir", cls.folder / run_dir, *words]

    @classmethod
    def sweep(cls, run_dir, *words):
        return subprocess.run(cls.command(run_dir, *words), cwd=cls.folder, text=True,
                              env=cls.environment(), stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=TIME_LIMIT_SECONDS, check=False)

    def last_digest(self, run):
        return self.metrics(run)[-1]["weights_digest"]

    def best_of(self, run):
        """Accuracy and loss of the best epoch, from the metrics file."""
        epochs = [line for line in self.metrics(run) if line["kind"] == "epoch"]
        best = max(epochs, key=lambda line: line["val_accuracy"])  # the first of equals
        return best["val_accuracy"], best["val_loss"]

    def ranking(self, runs):
        return sorted(runs, key=lambda run: (-self.best_of(run)[0], self.best_of(run)[1], run))

    def test_runs_side_by_side_have_the_weights_of_single_runs(self):
        self.assertEqual(self.done.returncode, 0, self.done.stderr)
        digests = set()
        for number, (rate, seed) in enumerate((r, s) for r in RATES for s in SEEDS):
            alone = self.train(f"alone-{number}", "--set", f"optimizer.adam.learning_rate={rate}",
                               "--set", f"seed={seed}", "--set", "training.epochs=1", ranks=2)
            self.assertEqual(self.last_digest(f"both/00{number}"), alone)
            digests.add(alone)
        self.assertEqual(len(digests), 4)

    def test_the_table_and_the_page_rank_by_the_metrics_files(self):
        expected = [run.removeprefix("both/") for run in
                    self.ranking([f"both/00{number}" for number in range(4)])]
        table = self.done.stdout[self.done.stdout.index("rank  run"):].splitlines()
        self.assertEqual([line.split()[1] for line in table[1:5]], expected)
        page = self.check_page((self.folder / "both/sweep.html").read_text())
        lines = page.table("runs")
        self.assertEqual([line[1] for line in lines], expected)
        accuracy, _ = self.best_of(f"both/{expected[0]}")
        self.assertEqual(lines[0][4], f"{100 * accuracy:.2f}% ★")
        self.assertEqual({tuple(line[2:4]) for line in lines},
                         {(rate, seed) for rate in RATES for seed in SEEDS})
        self.assertEqual(len(list(page.section("curves").iter("svg"))), 6)
        chart = next(page.section("parallel").iter("svg"))
        texts = ["".join(each.itertext()) for each in chart.iter("text")]
        self.assertEqual(texts[:3], ["learning_rate", "seed", "val accuracy"])
        tips = [each.text for each in chart.iter("title")]
        self.assertEqual(len(tips), 4)
        self.assertTrue(tips[-1].startswith(f"run {expected[0]} ("), tips)  # drawn last
        self.assertIsNone(page.section("failures"))

    def test_the_best_experiment_gives_the_same_weights(self):
        best = self.ranking([f"both/00{number}" for number in range(4)])[0]
        self.assertEqual(self.train("again", experiment=self.folder / "both/best.textproto"),
                         self.last_digest(best))

    def test_the_same_page_on_any_number_of_ranks_and_elsewhere(self):
        out = self.folder / "elsewhere"
        for ranks in (None, 3):
            self.lockstep("report", self.folder / "both", "--out", out, ranks=ranks)
            for name in ("sweep.html", "best.textproto"):
                self.assertEqual((out / name).read_bytes(),
                                 (self.folder / "both" / name).read_bytes())

    def test_a_run_that_diverges_is_listed_and_the_others_are_done(self):
        words = ("--set", "optimizer.adam.learning_rate=1e30,0.01", "--set", "training.epochs=1")
        done = self.sweep("diverging", *words)
        self.assertEqual(done.returncode, 3, done.stderr)
        cause = json.loads((self.folder / "diverging/000/outcome.json").read_text())["cause"]
        self.assertIn("diverged at step", cause)
        self.assertIn(f"\n000 diverged: {cause}\n", done.stdout)
        page = self.check_page((self.folder / "diverging/sweep.html").read_text())
        self.assertEqual([(line[0], line[1], line[-1]) for line in page.table("runs")],
                         [("1", "001", "done"), ("–", "000", "diverged")])
        self.assertIn(cause, "".join(page.section("failures").itertext()))
        self.assertTrue((self.folder / "diverging/best.textproto").exists())

    def test_an_illegal_value_is_one_line_before_anything_runs(self):
        done = self.sweep("illegal", "--set", "training.precision=FP32,BF17")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn('expected one of FP32, BF16, got "BF17"', done.stderr)
        self.assertFalse((self.folder / "illegal").exists())

    def test_a_stopped_sweep_goes_on_to_the_weights_of_an_undisturbed_one(self):
        words = ("--set", "seed=1:3", "--set", "training.epochs=3", "--jobs", "2")
        hold = self.hold("step", 20)  # of both runs
        process = subprocess.Popen(self.command("stopped", *words), cwd=self.folder,
                                   env=self.environment() | {"LOCKSTEP_HOLD": hold.text}, stdin=subprocess.DEVNULL, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True)
        runs = [hold.reached(process), hold.reached(process)]
        os.kill(process.pid, signal.SIGINT)
        for run in runs:
            hold.go_on(signal.SIGUSR1, run)
        output, errors = process.communicate(timeout=TIME_LIMIT_SECONDS)
        self.assertEqual(process.returncode, 75, output + errors)
        self.assertFalse((self.folder / "stopped/002").exists())
        done = self.sweep("stopped", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        for number in range(3):
            run = f"stopped/00{number}"
            self.assertEqual(len([line for line in self.metrics(run) if line["kind"] == "epoch"]),
                             3)
            whole = self.train(f"whole-{number}", "--set", f"seed={number + 1}", "--set",
                               "training.epochs=3", threads=2)
            self.assertEqual(self.last_digest(run), whole)

    def test_folders_that_are_no_whole_sweep(self):
        broken = self.folder / "broken"
        broken.mkdir()
        for text in ("", "[]", "{}", '{"name": "x", "fields": ["seed"], "monitor": "", "runs": []}',
                     '{"name": "x", "fields": ["seed"], "monitor": "", "runs": [{"folder": "000", '
                     '"values": []}]}'):
            (broken / "sweep.json").write_text(text)
            done = self.run_binary("report", broken)
            self.assertEqual(done.returncode, 2, text)
            self.assertRegex(done.stderr, r"\Alockstep: [^\n]*broken[^\n]*\n\Z")


if __name__ == "__main__":
    unittest.main()
