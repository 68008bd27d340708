"""One experiment, one result: equal bits on any number of ranks and worker threads."""

import os
import unittest
import unittest.mock

from export_network import EXPERIMENT
from lockstep_run import EXPERIMENT as TINY
from lockstep_run import LockstepTest, has_avx2, has_bf16

# The layers that the shipped experiments have.
USUAL_NETWORK = TINY[:TINY.index("model {")] + """
model {
  layer { conv { filters: 6 padding: SAME bias: false } }
  layer { batch_norm {} }
  layer { activation { kind: HARD_SWISH } }
  layer { conv { filters: 16 kernel: 1 activation: RELU6 } }
  layer { conv { filters: 16 stride: 2 padding_pixels: 1 groups: 16 bias: false } }
  layer { batch_norm {} }
  layer { avg_pool { size: 2 stride: 1 } }
  layer { residual {
    layer { conv { filters: 11 padding: SAME activation: RELU } }
    layer { conv { filters: 18 padding: SAME } }
    shortcut { layer { conv { filters: 18 kernel: 1 } } }
    activation: RELU
    drop_path: 0.1
  } }
  layer { max_pool { size: 2 } }
  layer { dropout { rate: 0.2 } }
  layer { flatten {} }
  layer { dense { units: 21 activation: RELU } }
  layer { logits {} }
}
training { global_batch: 48 lanes: 5 epochs: 2 clip_norm: 1 label_smoothing: 0.1 ema_decay: 0.9 }
optimizer { sgd { learning_rate: 0.05 momentum: 0.9 nesterov: true weight_decay: 0.001 } }
"""


class SameWeightsTest(LockstepTest):
    def assert_same(self, lanes, precision, shapes, *more):
        arguments = ("--set", f"training.lanes={lanes}", "--set", f"training.precision={precision}",
                     *more)
        run = f"{precision}-{lanes}-{len(more)}"
        one = self.outcome(run, self.train(run, *arguments))
        for ranks, threads in shapes:
            run = f"{precision}-{lanes}-{len(more)}-np{ranks}-t{threads}"
            other = self.outcome(run, self.train(run, *arguments, ranks=ranks, threads=threads))
            for key, value in one.items():
                with self.subTest(key, precision=precision, lanes=lanes, ranks=ranks,
                                  threads=threads):
                    self.assertTrue(other[key] == value, "differs from 1 rank with 1 thread")

    def test_fp32_five_lanes(self):
        self.assert_same(5, "FP32", [(1, 2), (1, 3), (2, 1), (3, 2), (4, 1), (5, 1)])

    def test_fp32_four_lanes(self):
        self.assert_same(4, "FP32", [(1, 3), (2, 2), (3, 1), (4, 1)])

    def test_bf16_five_lanes(self):
        self.assert_same(5, "BF16", [(1, 2), (1, 3), (2, 1), (3, 1), (4, 1)])

    def test_bf16_four_lanes(self):
        self.assert_same(4, "BF16", [(1, 2), (2, 1), (3, 3), (4, 1)])

    def test_every_kind_of_layer(self):
        experiment = self.write_experiment("kinds.textproto", text=EXPERIMENT)
        for precision in ("FP32", "BF16"):
            arguments = ("--set", "training.lanes=4", "--set", "training.epochs=1",
                         "--set", f"training.precision={precision}")
            one = self.train(f"kinds-{precision}", *arguments, experiment=experiment)
            for ranks, threads in ((1, 2), (2, 1), (3, 1), (4, 1), (1, 3)):
                with self.subTest(precision=precision, ranks=ranks, threads=threads):
                    run = f"kinds-{precision}-np{ranks}-t{threads}"
                    self.assertEqual(self.train(run, *arguments, experiment=experiment, ranks=ranks,
                                                threads=threads), one)

    def test_changed_and_mixed_images_and_weighted_classes(self):
        self.assert_same(5, "FP32", [(2, 2), (3, 1)], "--set",
                         "data.augmentation={ flip: 0.5 crop_padding_pixels: 1 erase {} "
                         "contrast: 0.2 mixup_alpha: 0.2 cutmix_alpha: 1 }", "--set",
                         "training.balance_classes=true", "--set",
                         "evaluation={ top_k: 2 average_flips: true }")

    def test_two_runs_in_a_row(self):
        self.assertEqual(self.train("first", threads=2), self.train("second", threads=2))

    def test_seed_precision_and_lanes_matter(self):
        fp32 = self.train("seven")
        bf16 = self.train("bf16", "--set", "training.precision=BF16")
        others = [self.train("eight", "--set", "seed=8"),
                  self.train("lanes", "--set", "training.lanes=4")]
        self.assertEqual(len({fp32, bf16, *others}), 4 if has_bf16() else 3)
        self.assertEqual(bf16 == fp32, not has_bf16())

    def test_bf16_is_fp32_where_the_processor_has_none(self):
        fp32 = self.train("fp32")
        self.train("bf16-run")
        kept = self.folder / "bf16-run" / "experiment.textproto"
        kept.write_text(kept.read_text().replace("precision: FP32", "precision: BF16"))
        arguments = ("--set", "training.precision=BF16", "--run-dir", self.folder / "no-bf16")
        with unittest.mock.patch.dict(os.environ, {"LOCKSTEP_MAX_ISA": "AVX512"}):
            for ranks in (1, 3):
                done = self.run_binary("train", self.experiment, *arguments, "--resume", "never",
                                       ranks=ranks)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stderr, r"\A[^\n]*has no bf16 instructions[^\n]*FP32\n\Z")
                self.assertEqual(self.digest_of(done), fp32)
            done = self.run_binary("verify", self.folder / "bf16-run", ranks=2)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertRegex(done.stderr, r"\Alockstep: [^\n]*trained in BF16[^\n]*\n\Z")

    @unittest.skipUnless(has_avx2(), "no AVX2 here")
    def test_fp32_is_the_same_by_any_instructions(self):
        # MKL, ATen and oneDNN choose theirs by the processor too, and have no part in such networks.
        experiment = self.write_experiment("usual.textproto", text=USUAL_NETWORK)
        best = self.train("best", experiment=experiment)
        limits = {"LOCKSTEP_MAX_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "default",
                  "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"}
        with unittest.mock.patch.dict(os.environ, limits):
            self.assertEqual(self.train("least", experiment=experiment, ranks=2), best)

    def test_limit_of_instructions_is_named(self):
        with unittest.mock.patch.dict(os.environ, {"LOCKSTEP_MAX_ISA": "AVX3"}):
            done = self.run_binary("train", self.experiment)
        self.assertEqual((done.returncode, done.stderr), (
            2, 'lockstep: LOCKSTEP_MAX_ISA is "AVX3": expected AVX2, AVX512, AVX512_BF16 or AMX\n'))

    def test_remainder_in_the_last_batch_is_trained(self):
        # 798 of 997 rows in batches of 48 are 16 whole batches and one of 30. Were
        # the remainder left out, a batch of 798 rows cut to 768 would be one step too.
        self.train("remainder", "--set", "training.epochs=1")
        self.assertEqual(self.metrics("remainder")[-1]["step"], 17)
        self.train("whole", "--set", "training.epochs=1", "--set", "training.global_batch=798")
        self.assertEqual(self.metrics("whole")[-1]["step"], 1)
        self.train("one-more", "--set", "training.epochs=1", "--set", "training.global_batch=797")
        self.assertEqual(self.metrics("one-more")[-1]["step"], 2)

    def test_native_reduction(self):
        native = ("--set", "training.reduction=NATIVE")
        self.train("native-1", *native)
        self.train("native-3", *native, ranks=3)
        accuracies = [self.metrics(run)[-1]["val_accuracy"] for run in ("native-1", "native-3")]
        # No equal bits are promised, but both learn: guessing gives 0.2.
        self.assertGreater(min(accuracies), 0.6)


if __name__ == "__main__":
    unittest.main()
