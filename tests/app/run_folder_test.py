"""What a training prints and leaves in its run folder."""

import json
import math
import re
import struct
import unittest
from collections import Counter

from lockstep_run import CLASSES, LockstepTest

EPOCH_KEYS = ["kind", "epoch", "step", "train_loss", "train_accuracy", "val_loss", "val_accuracy",
              "learning_rate", "images_per_second", "seconds", "slowest_rank", "slowest_excess",
              "slowest_for", "weights_digest"]
STEP_KEYS = ["kind", "epoch", "step", "train_loss", "train_accuracy", "learning_rate",
             "images_per_second", "seconds"]
STEPS_PER_EPOCH = 17  # ceil(798 / 48): one row in five of 997 is for validation


def read_safetensors(path):
    """(metadata, name -> shape), after checking that the tensors fill the file."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + length])
    metadata = header.pop("__metadata__")
    end = 0
    for tensor in sorted(header.values(), key=lambda each: each["data_offsets"]):
        assert tensor["dtype"] == "F32" and tensor["data_offsets"][0] == end
        end += 4 * math.prod(tensor["shape"])
        assert tensor["data_offsets"][1] == end
    assert 8 + length + end == len(content)
    return metadata, {name: tensor["shape"] for name, tensor in header.items()}


def without_origins(text):
    """What --print-config prints, without its comments."""
    return "".join(f"{re.sub(r' +# .*', '', line)}\n" for line in text.splitlines())


class RunFolderTest(LockstepTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_dir = cls.folder / "run"
        cls.done = cls.run_binary("train", cls.experiment, "--run-dir", cls.run_dir,
                                  "--threads", 2, ranks=2)
        assert cls.done.returncode == 0, cls.done.stderr

    def read_json(self, name):
        return json.loads((self.run_dir / name).read_text())

    def test_files(self):
        self.assertLessEqual(
            {"experiment.textproto", "environment.json", "status.json", "metrics.jsonl", "logs",
             "checkpoints", "evaluation.json", "classification_report.txt"},
            {path.name for path in self.run_dir.iterdir()})
        logs = sorted(path.name for path in (self.run_dir / "logs").iterdir())
        self.assertEqual(logs, ["rank-0.log", "rank-1.log"])
        for rank, name in enumerate(logs):
            self.assertIn(f"rank {rank} of 2", (self.run_dir / "logs" / name).read_text())

    def test_nothing_temporary_is_left(self):
        names = [path.name for path in self.run_dir.rglob("*")]
        self.assertEqual([name for name in names if "tmp" in name or name.startswith(".")], [])

    def test_output(self):
        lines = self.done.stdout.splitlines()
        self.assertRegex(lines[-1], r"^weights xxh3:[0-9a-f]{32}$")
        self.assertIn("all epochs done", self.done.stdout)
        self.assertEqual(sum("weights xxh3:" in line for line in lines), 1)
        self.assertIn(str(self.run_dir), self.done.stdout)
        self.assertEqual(self.done.stderr, "")

    def test_experiment_parses_to_itself(self):
        text = (self.run_dir / "experiment.textproto").read_text()
        printed = self.lockstep("train", self.run_dir / "experiment.textproto", "--print-config")
        self.assertEqual(without_origins(printed.stdout), text)

    def test_environment(self):
        environment = self.read_json("environment.json")
        self.assertEqual(environment["world_size"], 2)
        self.assertEqual(environment["threads_per_rank"], 2)
        self.assertEqual(len(environment["hosts_by_rank"]), 2)
        self.assertRegex(environment["torch"], r"^\d+\.\d+\.\d+$")

    def test_metrics(self):
        lines = self.metrics("run")
        epochs = [line for line in lines if line["kind"] == "epoch"]
        steps = [line for line in lines if line["kind"] == "step"]
        self.assertEqual(len(epochs) + len(steps), len(lines))
        self.assertEqual([(line["epoch"], line["step"]) for line in epochs],
                         [(1, STEPS_PER_EPOCH), (2, 2 * STEPS_PER_EPOCH)])
        # log_every_steps is 4.
        self.assertEqual([(line["epoch"], line["step"]) for line in steps],
                         [(1 if step <= STEPS_PER_EPOCH else 2, step) for step in range(4, 35, 4)])
        for line in lines:
            self.assertEqual(list(line), EPOCH_KEYS if line["kind"] == "epoch" else STEP_KEYS)
            self.assertGreater(line["train_loss"], 0)
            self.assertTrue(0 <= line["train_accuracy"] <= 1)
            self.assertAlmostEqual(line["learning_rate"], 0.01, places=7)
            self.assertGreater(line["images_per_second"], 0)
            self.assertGreater(line["seconds"], 0)
        for line in epochs:
            # A fraction of 798 training rows, of 199 validation rows.
            self.assertAlmostEqual(798 * line["train_accuracy"] % 1, 0, delta=1e-6)
            self.assertEqual(round(199 * line["val_accuracy"]) / 199, line["val_accuracy"])
        self.assertEqual("xxh3:" + epochs[-1]["weights_digest"],
                         self.done.stdout.splitlines()[-1].split()[1])

    def test_status(self):
        status = self.read_json("status.json")
        last = self.metrics("run")[-1]
        self.assertEqual(status["state"], "done")
        self.assertEqual(status["reason"], "all epochs done")
        self.assertEqual((status["epoch"], status["step"], status["steps_total"]), (2, 34, 34))
        self.assertEqual(status["val_accuracy"], last["val_accuracy"])
        self.assertEqual(status["train_loss"], last["train_loss"])
        self.assertEqual(status["best"], max(line["val_accuracy"] for line in self.metrics("run")
                                             if line["kind"] == "epoch"))

    def test_best_weights(self):
        epochs = [line for line in self.metrics("run") if line["kind"] == "epoch"]
        best = max(epochs, key=lambda line: line["val_accuracy"])  # the first of equals
        link = self.run_dir / "checkpoints" / "best"
        self.assertTrue(link.is_symlink())
        self.assertEqual(str(link.readlink()), f"step-{best['step']:08}")
        metadata, shapes = read_safetensors(link / "weights.safetensors")
        self.assertEqual(metadata["lockstep.experiment"],
                         (self.run_dir / "experiment.textproto").read_text())
        # Conv 3x3 from 1 to 6 channels, batch norm, then 5 x 5 x 6 to 16 to 5.
        self.assertEqual(sorted(shapes.values()), sorted(
            [[6, 3, 3, 1], [6], [6], [6], [6], [6], [16, 150], [16], [CLASSES, 16], [CLASSES]]))

    def test_evaluation(self):
        evaluation = self.read_json("evaluation.json")
        self.assertEqual(evaluation["rows"], 199)
        self.assertEqual(evaluation["accuracy"], self.metrics("run")[-1]["val_accuracy"])
        self.assertEqual(evaluation["loss"], self.metrics("run")[-1]["val_loss"])
        counts = Counter(label for label, _ in self.train_rows)
        for label, metrics in enumerate(evaluation["per_class"]):
            self.assertLess(abs(metrics["support"] - 199 / 997 * counts[label]), 1)
            self.assertEqual(metrics["support"], sum(evaluation["confusion"][label]))
        report = (self.run_dir / "classification_report.txt").read_text()
        self.assertRegex(report, r"accuracy +%.4f +199\n" % evaluation["accuracy"])


class TrainOptionsTest(LockstepTest):
    def files(self):
        return sorted(path for path in self.folder.rglob("*"))

    def test_print_config(self):
        before = self.files()
        text = self.lockstep("train", self.experiment, "--print-config").stdout
        self.assertIn("global_batch: 48", text)
        self.assertIn("reduction: ORDERED", text)  # a default
        again = self.write("again.textproto", text)
        printed = self.lockstep("train", again, "--print-config", ranks=2).stdout
        self.assertEqual(without_origins(printed), without_origins(text))
        self.assertNotIn("default", printed)
        again.unlink()
        self.assertEqual(self.files(), before)

    def test_needs(self):
        before = self.files()
        for command in ("train", "bench"):
            printed = self.lockstep(command, self.experiment, "--needs", "--set",
                                    "training.lanes=3", "--set", "data.test.path=/t.idx",
                                    "--set", "data.test.labels=l.idx").stdout
            self.assertEqual(json.loads(printed) | {"train": []}, {
                "name": "tiny", "lanes": 3, "gpus": False, "train": [], "validation": [],
                "test": ["/t.idx", "l.idx"], "weights": [], "metric": "val_accuracy"})
        printed = self.lockstep("train", self.experiment, "--needs", "--set",
                                "initialize.path=runs/a").stdout
        self.assertEqual(json.loads(printed)["weights"], ["runs/a"])
        printed = self.lockstep(
            "train", self.experiment, "--needs", "--dry-run", "--set", "device=CUDA", "--set",
            "callbacks.best_checkpoint.monitor=VAL_LOSS").stdout
        self.assertEqual((json.loads(printed)["gpus"], json.loads(printed)["metric"]),
                         (True, "val_loss"))
        self.assertEqual(len(json.loads(printed)["train"]), 1)
        self.assertEqual(self.files(), before)

    def test_bench(self):
        # 10x10 places of 6 filters of 3x3; then 5x5x6 values meet 16 units, those 5 classes.
        multiply_adds = 10 * 10 * 6 * 9 + 150 * 16 + 16 * 5
        told = json.loads(self.lockstep("bench", self.experiment, "--steps", "2", "--json",
                                        ranks=2).stdout)
        gflops = 6 * multiply_adds * 48 / told["seconds_per_step"] / 1e9
        self.assertAlmostEqual(told["gflops"], gflops, delta=1e-6 * gflops)
        self.assertGreater(told["peak_gflops"], told["gflops"])
        share = told["gflops"] / told["peak_gflops"]
        self.assertAlmostEqual(told["share_of_peak"], share, delta=1e-6 * share)
        text = self.lockstep("bench", self.experiment, "--steps", "2").stdout
        self.assertRegex(text, r"[0-9.]+ GFLOP/s, [0-9.]+ % of the [0-9]+ that these cores reach")

    def test_overrides(self):
        before = self.lockstep("train", self.experiment, "--print-config").stdout.splitlines()
        after = self.lockstep(
            "train", self.experiment, "--print-config", "--set", "training.epochs=3",
            "--set=training.precision=BF16", "--set", "name=other").stdout.splitlines()
        lines = self.experiment.read_text().splitlines()
        origins = [f"{self.experiment.name}:{1 + lines.index(line)}" for line in lines
                   if line.startswith(("name:", "training {"))]
        self.assertEqual(len(before), len(after))
        changed = [(" ".join(a.split()), " ".join(b.split()))
                   for a, b in zip(before, after) if a != b]
        self.assertEqual(changed, [
            (f'name: "tiny" # {origins[0]}', 'name: "other" # --set'),
            (f"epochs: 2 # {origins[1]}", "epochs: 3 # --set"),
            ("precision: FP32 # default", "precision: BF16 # --set")])

    def test_dry_run_leaves_nothing(self):
        before = self.files()
        for ranks in (1, 2):
            done = self.lockstep("train", self.experiment, "--dry-run", ranks=ranks)
            self.assertIn("798 training and 199 validation rows", done.stdout)
            self.assertIn("10x10x6", done.stdout)  # the table of layers
            self.assertEqual(self.files(), before)

    def test_default_run_folder(self):
        done = self.lockstep("train", self.experiment, "--set", "training.epochs=1")
        folders = list((self.folder / "models" / "tiny").iterdir())
        self.assertEqual(len(folders), 1)
        self.assertRegex(folders[0].name, r"^\d{8}T\d{6}Z-[0-9a-f]{8}$")
        self.assertIn(str(folders[0]), done.stdout)

    def test_help(self):
        words = {(): ["train", "evaluate", "predict", "submit"],
                 ("train",): ["EXPERIMENT", "--set", "--run-dir", "--print-config", "--dry-run"],
                 ("evaluate",): ["CHECKPOINT", "--data", "--labels", "--json", "--out"],
                 ("predict",): ["CHECKPOINT", "--data", "--out"],
                 ("submit",): ["CHECKPOINT", "--data", "--out"]}
        for command, expected in words.items():
            with self.subTest(command):
                text = self.lockstep(*command, "--help", ranks=None).stdout
                for word in expected:
                    self.assertIn(word, text)
        alone = self.lockstep("train", "--help", ranks=None).stdout
        self.assertEqual(self.lockstep("train", "--help", ranks=2).stdout, alone)


class EarlyStoppingTest(LockstepTest):
    def test_restores_the_best_weights(self):
        digest = self.train("run", "--set", "callbacks.early_stopping.patience=2",
                            "--set", "training.epochs=60", ranks=2)
        epochs = [line for line in self.metrics("run") if line["kind"] == "epoch"]
        self.assertLess(len(epochs), 60)
        best = max(epochs, key=lambda line: line["val_accuracy"])  # the first of equals
        self.assertEqual(best["epoch"], len(epochs) - 2)
        self.assertEqual(digest, best["weights_digest"])
        run = self.folder / "run"
        evaluation = (run / "evaluation.json").read_text()
        self.assertEqual(json.loads(evaluation)["accuracy"], best["val_accuracy"])
        self.assertEqual(json.loads(evaluation)["loss"], best["val_loss"])
        self.assertEqual(self.lockstep("evaluate", run, "--json").stdout, evaluation)
        self.assertTrue(re.match("early stopping: no better val_accuracy for 2 epochs",
                                 json.loads((run / "status.json").read_text())["reason"]))

    def test_keeps_the_last_weights_where_asked(self):
        digest = self.train("last", "--set", "callbacks.early_stopping.patience=2",
                            "--set", "callbacks.early_stopping.restore_best=false",
                            "--set", "training.epochs=60")
        self.assertEqual(digest, self.metrics("last")[-1]["weights_digest"])


if __name__ == "__main__":
    unittest.main()
