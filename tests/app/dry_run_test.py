"""train --dry-run: what it plans, what it warns of, what it refuses."""

import re
import subprocess
import unittest
from pathlib import Path

from lockstep_run import BINARY, MPIRUN, ROWS, TIME_LIMIT_SECONDS, LockstepTest

MEGABYTE = 1e6


def peak_bytes(text):
    """The memory of the ranks, by rank, as the plan says it."""
    return [float(number) * MEGABYTE
            for number in re.findall(r"^ +\d+  \S+ +[\d-]+ +\d+ +\d+ +(\d+) MB$", text, re.M)]


class DryRunTest(LockstepTest):
    def plan(self, *arguments, ranks=1):
        return self.lockstep("train", self.experiment, "--dry-run", "--threads", 1, *arguments,
                             ranks=ranks).stdout

    def test_plan(self):
        for ranks, rank_lines in ((1, ["0-4"]), (2, ["0-1", "2-4"])):
            text = self.plan(ranks=ranks)
            for path, rows in ((self.train_csv, ROWS), (self.test_csv, 301)):
                self.assertIn(f"{path.name}: CSV, {path.stat().st_size / 1000:.0f} kB, {rows} "
                              "rows\n", text)
            self.assertIn("split     798 training and 199 validation rows\n", text)
            # ceil(798 / 48); 798 - 16 * 48
            self.assertIn("steps     17 an epoch, 34 in 2 epochs; global batch 48, 30 in an", text)
            self.assertIn("lanes     5, of 9 or 10 samples a step each\n", text)
            self.assertIn(f"ranks     {ranks} of 1 worker each\n", text)
            for rank, lanes in enumerate(rank_lines):
                self.assertRegex(text, rf"(?m)^ +{rank}  \S+ +{lanes} ")
            self.assertEqual(len(peak_bytes(text)), ranks)
            self.assertTrue(text.endswith("rows; the experiment can be run\n"))

    def test_memory_is_near_the_peak_of_a_run(self):
        # A network whose own needs are several times those of the program without it.
        wide = ("--set=model.layer[0].conv.filters=256", "--set=training.global_batch=640",
                "--set=training.epochs=1", "--threads", "1")
        for ranks in (1, 2):
            predicted = peak_bytes(self.plan(*wide[:-2], ranks=ranks))
            script = ("import os, resource, subprocess, sys\n"
                      "status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode\n"
                      "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024\n"
                      "rank = os.environ.get('OMPI_COMM_WORLD_RANK', '0')\n"
                      "sys.exit(status) if status else print(f'peak {rank} {peak}', flush=True)\n")
            done = subprocess.run(
                [*MPIRUN, "-np", str(ranks), "python3", "-c", script, BINARY, "train",
                 self.experiment, *wide, "--run-dir", self.folder / f"wide-{ranks}"],
                env=self.environment(), capture_output=True, text=True,
                timeout=TIME_LIMIT_SECONDS)
            self.assertEqual(done.returncode, 0, done.stderr)
            peaks = dict(map(int, line) for line in re.findall(r"peak (\d+) (\d+)", done.stdout))
            self.assertEqual(sorted(peaks), list(range(ranks)), done.stdout)
            for rank, expected in enumerate(predicted):
                self.assertLess(abs(peaks[rank] - expected) / peaks[rank], 0.25,
                                (ranks, rank, expected, peaks[rank]))

    def test_memory_counts_the_optimizers_buffers(self):
        # So wide a layer that its weights are nearly all of the parameters.
        units = 32768
        parameters = 150 * units + units + units * 5
        peaks = {kind: peak_bytes(self.plan("--set", f"model.layer[5].dense.units={units}",
                                            "--set", f"optimizer.{kind}={{}}", ranks=1))[0]
                 for kind in ("sgd", "lars", "adam", "lamb", "muon")}
        # What the program takes without the network differs by a page or two from run to run.
        self.assertLess(abs(peaks["lars"] - peaks["sgd"]), 0.1 * 4 * parameters)
        self.assertLess(abs(peaks["lamb"] - peaks["adam"]), 0.1 * 4 * parameters)
        # A buffer, in the four copies of a checkpoint too.
        self.assertAlmostEqual((peaks["adam"] - peaks["sgd"]) / (5 * 4 * parameters), 1, delta=0.1)
        # Beside the matrix three of its size, and three squares of its shorter side.
        more = 4 * 150 * units + 3 * 150 * 150
        self.assertAlmostEqual((peaks["muon"] - peaks["adam"]) / (4 * more), 1, delta=0.1)

    def refuse(self, *arguments, experiment=None, ranks=1):
        done = self.run_binary("train", experiment or self.experiment, "--dry-run", *arguments,
                               ranks=ranks)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        return done.stderr

    def test_refusals(self):
        for words, message in (
                (["--set", "data.label_column=Label"],
                 'no column "Label" in the header; did you mean "label"?'),
                (["--set", "data.shape.width=13"], "144 pixel columns besides column"),
                (["--set", "data.classes=4", "--set", "model.layer[7].dense.units=4"],
                 "expected a label from 0 to 3"),
                (["--set", "data.train.path=none.csv"], "none.csv"),
                (["--set", "optimizer={ group { layers: 'conv' } }"],
                 "optimizer.group[0].layers[0] is \"conv\", which matches no parameter; did you "
                 "mean \"0.conv\"? (there are those of 0.conv, 1.batch_norm, 5.dense, 7.dense)"),
                (["--set", "training.lanes=900", "--set", "training.global_batch=900"],
                 "798 training rows beside 199 of validation; expected at least one for each of "
                 "900 lanes"),
                (["--set", "data.train.member=x.csv"], "cannot be read as a zip archive")):
            for ranks in (1, 2):
                self.assertIn(message, self.refuse(*words, ranks=ranks))

    def test_memory_that_no_machine_has(self):
        # 65536 units on 65536 inputs: 17 GB a copy of the weights.
        text = self.experiment.read_text().replace(
            "layer { dense { units: 5 } }",
            "layer { dense { units: 65536 } } layer { dense { units: 5 } }")
        experiment = self.write("huge.textproto", text)
        total = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) * 1024
        if total > 150e9:
            self.skipTest("this machine has memory for it")
        self.assertRegex(self.refuse("--set=model.layer[5].dense.units=65536",
                                     experiment=experiment),
                         r"memory: the ranks on \S+ need about [\d.]+ GB, but it has")

    def test_warnings(self):
        text = self.plan("--set", "data.test.path=none.csv")
        self.assertIn("warning: data.test: ", text)
        self.assertIn("none.csv", text)
        self.assertIn("the experiment can be run", text)
        text = self.plan("--set", "data.classes=7", "--set", "model.layer[7].dense.units=7")
        self.assertIn("warning: 2 of 7 classes have no row there, the first of them is 5\n", text)

    def test_a_small_disk(self):
        disk = self.folder / "disk"
        disk.mkdir()
        for size, fits in (("1m", True), ("64k", False)):
            words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
            mounted = subprocess.run(words, capture_output=True, text=True)
            if mounted.returncode != 0:
                self.skipTest(f"a small disk cannot be mounted: {mounted.stderr.strip()}")
            try:
                where = ["--run-dir", disk / "none" / "run"]
                if fits:
                    text = self.plan(*where)
                    self.assertIn(f"free in {disk}: up to 4 checkpoints of", text)
                    self.assertIn(f"warning: the disk of {disk} may become full\n", text)
                else:
                    self.assertRegex(self.refuse(*where), r": a checkpoint has .*, the whole disk ")
            finally:
                subprocess.run(["umount", "--lazy", disk], check=True)


if __name__ == "__main__":
    unittest.main()
