"""Fine-tuning: runs that begin with the weights of a file, and layers that are frozen."""

import itertools
import json
import re
import shutil
import struct
import unittest
import zipfile
from pathlib import Path

from lockstep_run import LockstepTest
from weights_file import read_weights, weights_content

DIGITS = Path(__file__).resolve().parents[2] / "data" / "digit-recognizer.zip"
FEATURES = ("0.", "1.")

CONV = """
  layer { conv { filters: %d stride: %d padding: SAME bias: false } }
  layer { batch_norm { momentum: 0.9 } }
  layer { activation { kind: RELU } }
"""
OF_DIGITS = f"""
name: "digits"
data {{ train {{ path: "many.csv" }} classes: 5 }}
model {{
  {CONV % (16, 2)} {CONV % (32, 1)} {CONV % (32, 2)} {CONV % (64, 1)}
  layer {{ avg_pool {{ global: true }} }}
  layer {{ dense {{ units: 5 }} }}
}}
training {{ global_batch: 50 lanes: 2 epochs: 3 }}
optimizer {{ adam {{ learning_rate: 0.003 }} }}
"""


class FineTuningTest(LockstepTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.base = cls.folder / "base"
        done = cls.run_binary("train", cls.experiment, "--run-dir", cls.base, "--threads", 1,
                              ranks=None)
        assert done.returncode == 0, done.stderr
        cls.weights = cls.base / "checkpoints" / "best" / "weights.safetensors"

    def tune(self, run, *settings, ranks=1):
        """The digest of a run, and what it printed."""
        words = [word for setting in settings for word in ("--set", setting)]
        done = self.lockstep("train", self.experiment, "--run-dir", self.folder / run, *words,
                             "--threads", 1, ranks=ranks)
        return self.digest_of(done), done.stdout

    def tensors(self, run):
        """The bytes of the last weights, by name."""
        last = sorted((self.folder / run / "checkpoints").glob("step-*"))[-1]
        return {name: values for name, (_, values)
                in read_weights(last / "weights.safetensors")[1].items()}

    def test_from_a_run_folder_at_every_world_size(self):
        settings = ("initialize.path=base", "initialize.freeze=0.*,1.*", "training.epochs=1",
                    "checkpoint.every_steps=5")
        digest, printed = self.tune("tuned-1", *settings)
        self.assertIn("weights to begin with, of base (our own layouts)", printed)
        table = (self.folder / "tuned-1" / "initial_weights.txt").read_text()
        self.assertIn(table, printed)
        self.assertRegex(table, r"\n0\.conv\.weight +6x3x3x1 +0\.conv\.weight +taken; frozen\n")
        self.assertRegex(table, r"\n10 of 10 parameters taken, 6 frozen; 0 tensors unused; ")
        before = {name: values for name, (_, values) in read_weights(self.weights)[1].items()}
        after = self.tensors("tuned-1")
        for name, values in after.items():
            self.assertEqual(values == before[name], name.startswith(FEATURES), name)
        for ranks in (2, 3):
            self.assertEqual(self.tune(f"tuned-{ranks}", *settings, ranks=ranks)[0], digest)

        # A resume needs no file: it has the weights, and the digest of those at the beginning.
        hidden = self.folder / "hidden"
        run = self.folder / "tuned-1"
        for step in sorted((run / "checkpoints").glob("step-*"))[1:]:
            for file in step.iterdir():
                file.unlink()
            step.rmdir()
        self.base.rename(hidden)
        self.addCleanup(lambda: hidden.exists() and hidden.rename(self.base))
        resumed, printed = self.tune("tuned-1", *settings, ranks=2)
        self.assertEqual(resumed, digest)
        self.assertNotIn("weights to begin with", printed)
        state = json.loads((sorted((run / "checkpoints").glob("step-*"))[-1] / "state.json")
                           .read_text())
        self.assertEqual(state["initial_digest"], re.search("xxh3:([0-9a-f]{32})", table)[1])
        self.assertEqual((run / "initial_weights.txt").read_text(), table)
        hidden.rename(self.base)

    def test_begins_where_the_other_ended(self):
        # No step changes the frozen ones, and a rate of nearly 0 nothing else.
        _, printed = self.tune("same", "initialize.path=base", "training.epochs=1",
                               "optimizer.adam.learning_rate=1e-30", "initialize.freeze=1.*")
        before = {name: values for name, (_, values) in read_weights(self.weights)[1].items()}
        self.assertEqual(self.tensors("same"), before)
        accuracy = re.search(r"accuracy (0\.\d+)", printed)[1]
        done = self.lockstep("evaluate", self.folder / "same")
        self.assertIn(f"accuracy {accuracy}", done.stdout)

    def test_statistics_of_the_file_move_by_their_momentum(self):
        """From 5 and 9 on: 0.99 of them and 0.01 of the batch's after the first step."""
        metadata, tensors = read_weights(self.weights)
        names = [f"1.batch_norm.running_{part}" for part in ("mean", "variance")]
        for name, value in zip(names, (5, 9)):
            shape, values = tensors[name]
            tensors[name] = (shape, struct.pack("<f", value) * (len(values) // 4))
        self.write("five.safetensors", weights_content(metadata, tensors))
        settings = ("initialize.path=five.safetensors", "training.epochs=1",
                    "optimizer.adam.learning_rate=1e-30", "checkpoint.every_steps=1",
                    "checkpoint.keep_last=99")
        digest, _ = self.tune("five-1", *settings)
        self.tune("anew", *settings, f"initialize.skip={','.join(names)}")

        def after_first(run, name):
            step = self.folder / run / "checkpoints" / "step-00000001" / "weights.safetensors"
            values = read_weights(step)[1][name][1]
            return struct.unpack(f"<{len(values) // 4}f", values)

        for name, begin in zip(names, (5, 9)):
            for moved, batch in zip(after_first("five-1", name), after_first("anew", name)):
                self.assertAlmostEqual(moved, 0.99 * begin + 0.01 * batch, places=4)
        self.assertEqual(self.tune("five-2", *settings, ranks=2)[0], digest)
        for step in sorted((self.folder / "five-1" / "checkpoints").glob("step-*"))[2:]:
            shutil.rmtree(step)
        self.assertEqual(self.tune("five-1", *settings, ranks=3)[0], digest)

    def test_dry_run_shows_the_table(self):
        done = self.lockstep("train", self.experiment, "--dry-run", "--set",
                             "initialize.path=base", "--set", "initialize.skip=5.*", ranks=2)
        self.assertRegex(done.stdout, r"\n5\.dense\.weight +16x150 +5\.dense\.weight +skipped\n")
        self.assertIn("8 of 10 parameters taken, 0 frozen", done.stdout)

    def test_what_cannot_be_begun_with(self):
        metadata, tensors = read_weights(self.weights)
        shape, values = tensors["5.dense.weight"]
        cut = tensors | {"5.dense.weight": ([15, shape[1]], values[:15 * 4 * shape[1]])}
        self.write("cut.safetensors", weights_content(metadata, cut))
        self.write("model.pt", b"PK")
        before = sorted(self.folder.glob("**/*"))
        for path, message in (
                ("nowhere", "nowhere: no trained weights there"),
                ("model.pt", "PyTorch's own files are not read; write its state_dict by "
                             "safetensors.torch.save_file"),
                ("train.csv", "not a safetensors file"),
                ("cut.safetensors",
                 'cut.safetensors: tensor "5.dense.weight" has the shape [15, 150], '
                 '"5.dense.weight" of the model [16, 150]; change the model, or leave it out by '
                 'initialize.skip')):
            done = self.run_binary("train", self.experiment, "--set", f"initialize.path={path}",
                                   ranks=None)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertEqual(done.stderr.strip().count("\n"), 0, done.stderr)
            self.assertIn(message, done.stderr)
        self.assertEqual(sorted(self.folder.glob("**/*")), before)
        self.assertEqual(self.tune("by-skip", "initialize.path=cut.safetensors",
                                   "initialize.skip=5.dense.weight", "training.epochs=1")[1]
                         .count("; 0 tensors unused"), 1)

    def test_few_images_of_other_classes(self):
        """Digits from 5 by 10 images each, after a training on those below."""
        with zipfile.ZipFile(DIGITS) as archive, archive.open("train.csv") as file:
            header, *lines = [line.decode() for line in itertools.islice(file, 7001)]
        low, high = ([line for line in lines if (line[0] > "4") == is_high]
                     for is_high in (False, True))
        few = [line for label in "56789"
               for line in [line for line in high[:2000] if line[0] == label][:10]]
        self.write("many.csv", header + "".join(low))
        self.write("few.csv", header + "".join(f"{int(line[0]) - 5}{line[1:]}" for line in few))
        self.write("held.csv", header + "".join(
            f"{int(line[0]) - 5}{line[1:]}" for line in high[2000:]))
        experiment = self.write("digits.textproto", OF_DIGITS)
        self.train("below", experiment=experiment)
        accuracies = []
        for run, settings in (("scratch", ()), ("tuned", (
                "--set", "initialize.path=below", "--set", "initialize.skip=13.*", "--set",
                "initialize.freeze=0.*,1.*"))):
            self.train(run, "--set", "data.train.path=few.csv", "--set",
                       "data.validation.source.path=held.csv", "--set", "training.epochs=8",
                       "--set", "training.global_batch=10", *settings, experiment=experiment)
            done = self.lockstep("evaluate", self.folder / run, "--json")
            accuracies.append(json.loads(done.stdout)["accuracy"])
        self.assertGreater(accuracies[1], accuracies[0] + 0.15)


if __name__ == "__main__":
    unittest.main()
