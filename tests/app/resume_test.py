"""A run that is ended and started again, on other numbers of ranks too, is the run that
was never ended; and what may be resumed."""

import json
import os
import shutil
import signal
import unittest

from lockstep_run import (EXPERIMENT, LockstepTest, csv_text, images, without_bf16_notice,
                          xxh3)

EXIT_RESTART = 75
RANKS = (4, 2, 1, 3)

# So many epochs that a signal can find a run under way.
LONG = ("--set", "training.epochs=40", "--set", "training.log_every_steps=1",
        "--set", "checkpoint.every_steps=5")
STEPS_PER_EPOCH = 17

# Both act before the last of 40 epochs; the tests check it.
CALLBACKS = """
callbacks {
  reduce_on_plateau { monitor: VAL_LOSS patience: 2 factor: 0.5 }
  early_stopping { monitor: VAL_LOSS patience: 6 restore_best: true }
}
"""


class ResumeTest(LockstepTest):
    def arguments(self, run, *more, experiment=None):
        return ("train", experiment or self.experiment, "--run-dir", self.folder / run,
                "--threads", 1, *more)

    def reference(self, run, *more, experiment=None):
        done = self.lockstep(*self.arguments(run, *more, experiment=experiment), ranks=None)
        return self.outcome(run, self.digest_of(done))

    def last_step(self, run):
        """Of metrics.jsonl; 0 before there is one."""
        path = self.folder / run / "metrics.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        try:
            return json.loads(lines[-1])["step"] if lines else 0
        except json.JSONDecodeError:
            return 0  # being written

    def interrupt(self, run, arguments, ranks, step, send):
        """Starts the run and signals it after `step`; it must save and ask for more.
        Gives the step that it saved."""
        hold = self.hold("step", step)
        job = self.start(*arguments, ranks=ranks, holds=[hold])
        hold.reached(job)
        hold.go_on(after=send(job))
        done = job.end()
        self.assertEqual(done.returncode, EXIT_RESTART, done.stderr)
        self.assertIn(f"saved in {self.folder / run}", done.stdout)
        self.assertEqual(without_bf16_notice(done.stderr), "")
        newest = sorted((self.folder / run / "checkpoints").glob("step-*"))[-1]
        state = json.loads((newest / "state.json").read_text())
        self.assertEqual(state["loop"]["step"], self.last_step(run))
        self.assertEqual(state["world_size"], ranks or 1)
        return state["loop"]

    def check_chain(self, run, expected, arguments, send=None, ranks=RANKS):
        """A chain of worlds gives the outcome `expected`; gives the states in between."""
        send = send or self.send_usr1
        steps = expected["metrics"][-1]["step"]
        states = []
        for link, world in enumerate(ranks[:-1], start=1):
            states.append(self.interrupt(run, arguments, world, link * steps // 10, send))
        done = self.lockstep(*arguments, ranks=ranks[-1])
        self.assertIn("going on in", done.stdout)
        self.assert_same_outcome(self.outcome(run, self.digest_of(done)), expected)
        return states

    def test_chain_within_epochs(self):
        expected = self.reference("whole", *LONG)
        states = self.check_chain("chain", expected, self.arguments("chain", *LONG))
        self.assertTrue(any(0 < each["epoch_step"] < STEPS_PER_EPOCH for each in states), states)

    def test_chain_at_the_end_of_epochs(self):
        # One step an epoch, so that every step is an epoch's last, and all the rows
        # of the training in it.
        more = (*LONG, "--set", "training.global_batch=798", "--set", "training.epochs=200")
        expected = self.reference("whole-last", *more)
        states = self.check_chain("chain-last", expected, self.arguments("chain-last", *more))
        self.assertEqual([each["epoch_step"] for each in states], [1] * len(states))

    def test_chain_with_callbacks(self):
        experiment = self.write_experiment("callbacks.textproto", text=EXPERIMENT + CALLBACKS)
        expected = self.reference("whole-callbacks", *LONG, experiment=experiment)
        epochs = [line for line in expected["metrics"] if line["kind"] == "epoch"]
        self.assertLess(len(epochs), 40)  # stopped early
        self.assertLess(epochs[-1]["learning_rate"], epochs[0]["learning_rate"])
        self.assertNotEqual(expected["digest"], epochs[-1]["weights_digest"])  # the best ones
        arguments = self.arguments("chain-callbacks", *LONG, experiment=experiment)
        self.check_chain("chain-callbacks", expected, arguments)

    def test_chain_in_bf16_of_averaged_weights_with_one_kept_checkpoint(self):
        more = (*LONG, "--set", "training.precision=BF16", "--set", "training.ema_decay=0.9")
        more += ("--set", "checkpoint.keep_last=1")
        expected = self.reference("whole-bf16", *more)
        self.check_chain("chain-bf16", expected, self.arguments("chain-bf16", *more))

    def test_chain_of_optimizers_of_whole_parameters(self):
        for name, kind in (("lamb", "lamb={ learning_rate: 0.02 }"),
                           ("lars", "lars={ learning_rate: 20 }"),
                           ("muon", "muon={ learning_rate: 0.01 }")):
            with self.subTest(name):
                more = (*LONG, "--set", "training.epochs=4", "--set", f"optimizer.{kind}")
                expected = self.reference(f"whole-{name}", *more)
                self.assertGreater(expected["metrics"][-1]["val_accuracy"], 0.6)
                self.check_chain(f"chain-{name}", expected,
                                 self.arguments(f"chain-{name}", *more), ranks=(3, 1, 2))

    def test_term_to_every_rank(self):
        # As a batch system does it: mpirun itself answers TERM by killing the ranks.
        expected = self.reference("whole-term", *LONG)

        def send(job):
            for rank in range(job.ranks):
                self.assertTrue(job.send(signal.SIGTERM, rank))
            return signal.SIGTERM

        self.check_chain("chain-term", expected, self.arguments("chain-term", *LONG), send,
                         ranks=(None, 3, 2))

    def test_signal_while_the_rows_are_read(self):
        # Not even a first step is lost, and the run does not die of several for one cause.
        arguments = self.arguments("early", *LONG)
        holds = [self.hold("connected"), self.hold("step", 0)]
        job = self.start(*arguments, ranks=None, holds=holds)
        for hold in holds:
            hold.reached(job)
            for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1):
                job.send(number)
            hold.go_on(after=signal.SIGTERM)
        done = job.end()
        self.assertEqual(done.returncode, EXIT_RESTART, done.stderr)
        self.assertEqual(self.last_step("early"), 1)

    @staticmethod
    def send_usr1(job):
        """By way of mpirun, where there is one."""
        job.send(signal.SIGUSR1)
        return signal.SIGUSR1


class WhatMayBeResumedTest(LockstepTest):
    SHORT = ("--set", "checkpoint.every_steps=5", "--set", "checkpoint.keep_last=100")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # 34 steps; checkpoints of 5, 10, 15, 17, 20, 25, 30, 34.
        cls.done = cls.run_binary("train", cls.experiment, "--run-dir", cls.folder / "run",
                                  "--threads", 1, *cls.SHORT, ranks=None)
        assert cls.done.returncode == 0, cls.done.stderr
        cls.digest = cls.done.stdout.splitlines()[-1].split(":")[1]

    def copy(self, name):
        """A copy of the finished run."""
        shutil.copytree(self.folder / "run", self.folder / name, symlinks=True)
        return self.folder / name

    def train_in(self, run_dir, *more, experiment=None, ranks=None):
        return self.run_binary("train", experiment or self.experiment, "--run-dir", run_dir,
                               "--threads", 1, *self.SHORT, *more, ranks=ranks)

    def steps(self, run_dir):
        return sorted(int(path.name[5:]) for path in (run_dir / "checkpoints").glob("step-*"))

    def refused(self, done, *patterns):
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(len(without_bf16_notice(done.stderr).splitlines()), 1, done.stderr)
        for pattern in patterns:
            self.assertRegex(done.stderr, pattern)

    def test_checkpoints_of_a_run(self):
        self.assertEqual(self.steps(self.folder / "run"), [5, 10, 15, 17, 20, 25, 30, 34])

    def test_finished_run_is_only_reported_again(self):
        run = self.copy("finished")
        before = (run / "metrics.jsonl").read_bytes()
        done = self.train_in(run, ranks=2)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.digest_of(done), self.digest)
        self.assertEqual((run / "metrics.jsonl").read_bytes(), before)

    def test_changed_experiment_is_refused(self):
        run = self.copy("changed")

        def state():  # the lock names who had it last
            return sorted((path, path.stat().st_mtime_ns) for path in run.rglob("*")
                          if path.name != "lock")

        before = state()
        for ranks in (None, 2):
            for fields in (["seed=8"], ["training.global_batch=49"],
                           ["optimizer.adam.learning_rate=0.02", "training.precision=BF16"],
                           ["data.validation.fraction=0.25"]):
                more = [word for field in fields for word in ("--set", field)]
                done = self.train_in(run, *more, ranks=ranks)
                self.refused(done, *[field.split("=")[0].replace(".", r"\.") for field in fields])
        self.assertEqual(state(), before)
        layers = self.write_experiment(
            "layers.textproto", text=EXPERIMENT.replace("units: 16", "units: 17"))
        self.refused(self.train_in(run, experiment=layers), "model")

    def test_what_decayed_before_there_was_a_setting_decays(self):
        # Its own experiment does not say what decays; then it was every parameter.
        decay = ("--set", "optimizer.adamw={ learning_rate: 0.01 weight_decay: 0.5 }")
        run = self.folder / "before"
        done = self.train_in(run, *decay, "--set", "optimizer.decays=ALL")
        self.assertEqual(done.returncode, 0, done.stderr)
        others = self.train_in(self.folder / "since", *decay)
        self.assertNotEqual(self.digest_of(done), self.digest_of(others))
        kept = run / "experiment.textproto"
        self.assertEqual(kept.read_text().count("  decays: ALL\n"), 1)
        kept.write_text(kept.read_text().replace("  decays: ALL\n", ""))
        replay = self.run_binary("verify", run)
        self.assertEqual(replay.returncode, 0, replay.stderr)
        self.refused(self.train_in(run, *decay), "weight decay of all parameters; to go on, start "
                     "it with --set optimizer.decays=ALL")
        shutil.rmtree(run / "checkpoints" / "step-00000034")
        again = self.train_in(run, *decay, "--set", "optimizer.decays=ALL")
        self.assertIn("going on in", again.stdout)
        self.assertEqual(self.digest_of(again), self.digest_of(done))
        # Adam has no decay, so there is nothing to say.
        run = self.copy("adam-before")
        kept = run / "experiment.textproto"
        kept.write_text(kept.read_text().replace("  decays: WEIGHTS\n", ""))
        self.assertIn("going on in", self.train_in(run).stdout)

    def test_allowed_changes(self):
        expected = self.train("four-epochs", "--set", "training.epochs=4")
        done = self.train_in(self.copy("allowed"), "--set", "training.epochs=4", "--set",
                             "checkpoint.every_steps=7", "--set", "checkpoint.keep_last=1",
                             "--set", "training.log_every_steps=3", "--set", "name=other")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.digest_of(done), expected)
        self.assertEqual(self.metrics("allowed")[-1]["step"], 4 * 17)

    def test_never_begins_anew(self):
        run = self.copy("anew")
        done = self.train_in(run, "--resume", "never", "--set", "training.epochs=1", "--set",
                             "seed=8")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("going on", done.stdout)
        self.assertEqual(self.metrics("anew")[-1]["step"], 17)
        self.assertEqual(self.steps(run), [5, 10, 15, 17])

    def test_path_of_a_run_folder(self):
        run = self.copy("by-path")
        for name in ("step-00000030", "step-00000034"):
            shutil.rmtree(run / "checkpoints" / name)
        done = self.run_binary("train", self.experiment, "--resume", run, "--threads", 1,
                               *self.SHORT, ranks=2)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.digest_of(done), self.digest)
        self.assertFalse((self.folder / "models").exists())

    def test_path_of_a_checkpoint(self):
        # What comes after it is of another future: with other epochs it would be wrong.
        run = self.copy("by-checkpoint")
        more = ("--set", "training.epochs=1", "--resume", run / "checkpoints" / "step-00000010")
        done = self.run_binary("train", self.experiment, "--threads", 1, *self.SHORT, *more)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.steps(run), [5, 10, 15, 17])
        self.assertEqual((run / "checkpoints" / "best").readlink().name, "step-00000017")
        self.assertEqual(self.metrics("by-checkpoint")[-1]["step"], 17)
        self.assertEqual(self.digest_of(done), self.metrics("run")[4]["weights_digest"])

    def test_path_without_a_checkpoint_is_refused(self):
        empty = self.folder / "empty"
        empty.mkdir(exist_ok=True)
        for path in (empty, self.folder / "nowhere", self.train_csv):
            done = self.run_binary("train", self.experiment, "--resume", path)
            self.refused(done, "--resume .*no whole checkpoint")
        self.assertEqual(list(empty.iterdir()), [])

    def test_other_data_are_refused(self):
        run = self.copy("other-data")
        rows = images(seed=3)
        other = self.write("other.csv", csv_text(rows))
        for ranks in (None, 3):
            done = self.train_in(run, "--set", f"data.train.path={other}", ranks=ranks)
            self.refused(done, "other training data")
        # What a refused resume would have given up is still there.
        done = self.run_binary("train", self.experiment, "--threads", 1, *self.SHORT, "--set",
                               f"data.train.path={other}", "--resume",
                               run / "checkpoints" / "step-00000010")
        self.refused(done, "other training data")
        self.assertEqual(self.steps(run), [5, 10, 15, 17, 20, 25, 30, 34])
        moved = self.write("moved.csv", self.train_csv.read_bytes())
        done = self.train_in(run, "--set", f"data.train.path={moved}")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_verify(self):
        run = self.folder / "run"
        for ranks, more, steps in ((None, (), (5, 34)), (2, (), (5, 34)),
                                   (3, ("--from", 10, "--to", 25), (10, 25))):
            done = self.lockstep("verify", run, "--threads", 1, *more, ranks=ranks)
            self.assertRegex(done.stdout, r"steps %d to %d replayed on %d rank.*: equal" %
                             (*steps, ranks or 1))
            if steps[1] == 34:
                self.assertIn(self.digest, done.stdout)
        self.refused(self.run_binary("verify", run, "--to", 26), "no checkpoint at step 26")
        self.refused(self.run_binary("verify", run, "--from", 20, "--to", 10), "--from 20")

    def test_verify_of_averaged_weights(self):
        run = self.folder / "averaged"
        done = self.train_in(run, "--set", "training.ema_decay=0.9")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.lockstep("verify", run, "--from", 17, ranks=2)
        self.assertIn("steps 17 to 34 replayed on 2 ranks: equal", done.stdout)

    def test_tampered_states_are_found(self):
        # With a manifest that fits them, so that nothing but a replay can tell.
        for name, change in (("weights", self.change_weights), ("digest", self.change_digest)):
            run = self.copy(f"tampered-{name}")
            folder = run / "checkpoints" / "step-00000030"
            change(folder)
            self.seal(folder)
            self.assertEqual(self.run_binary("inspect", folder).returncode, 0)
            self.assertEqual(self.run_binary("verify", run, "--to", 25).returncode, 0)
            for ranks in (None, 3):
                done = self.run_binary("verify", run, ranks=ranks)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn("steps 5 to 34 do not replay: equal up to step 25, but at step 30",
                              done.stderr)
            # Nor may it be resumed: its parts contradict each other.
            self.refused(self.train_in(run, "--resume", folder), "digest")
        run = self.copy("tampered-optimizer")
        folder = run / "checkpoints" / "step-00000010"
        self.change_last_byte(folder / "optimizer.safetensors")
        self.seal(folder)
        done = self.run_binary("verify", run)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("equal up to step 10, but at step 15", done.stderr)

    def test_tampered_metrics_are_found(self):
        # Step 17 ends an epoch: with its checkpoint, and within the replay of 15 to 20.
        run = self.copy("tampered-metrics")
        path = run / "metrics.jsonl"
        lines = path.read_text().splitlines()
        right = json.loads(lines[4])
        self.assertEqual((right["kind"], right["step"]), ("epoch", 17))
        lines[4] = json.dumps(right | {"weights_digest": "1" * 32})
        path.write_text("\n".join(lines) + "\n")
        for ranks in (None, 2):
            done = self.run_binary("verify", run, ranks=ranks)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("steps 5 to 34 do not replay: equal up to step 15, but at step 17 the "
                          f"weights are xxh3:{right['weights_digest']}, in metrics.jsonl xxh3:"
                          + "1" * 32, done.stderr)
            shutil.rmtree(run / "checkpoints" / "step-00000017", ignore_errors=True)
        self.assertEqual(self.run_binary("verify", run, "--to", 15).returncode, 0)

    @staticmethod
    def change_last_byte(path):
        content = bytearray(path.read_bytes())
        content[-2] ^= 0x40  # of the exponent of the last float
        path.write_bytes(content)

    def change_weights(self, folder):
        self.change_last_byte(folder / "weights.safetensors")

    @staticmethod
    def change_digest(folder):
        state = json.loads((folder / "state.json").read_text())
        state["weights_digest"] = "0" * 32
        (folder / "state.json").write_text(json.dumps(state, indent=2) + "\n")

    def seal(self, folder):
        """Makes the manifest anew for the files as they are."""
        manifest = json.loads((folder / "manifest.json").read_text())
        for name, entry in manifest["files"].items():
            content = (folder / name).read_bytes()
            entry.update(bytes=len(content), xxh3=xxh3(content))
        del manifest["xxh3"]
        manifest["xxh3"] = xxh3(json.dumps(manifest, indent=2).encode())
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")

    def test_link_to_the_best_is_mended(self):
        # As after a kill between a best checkpoint and its link.
        run = self.copy("link")
        link = run / "checkpoints" / "best"
        right = os.readlink(link)
        link.unlink()
        link.symlink_to("step-00000005")
        done = self.train_in(run)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(os.readlink(link), right)


if __name__ == "__main__":
    unittest.main()
