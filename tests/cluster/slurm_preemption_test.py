"""Jobs of a real Slurm that make room for urgent ones: told when their time of grace begins, they
save, go back to the queue and go on where they stopped."""

import json
import os
import re
import shlex
import signal
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from built_launcher import launch, launcher_words
from lockstep_run import TIME_LIMIT_SECONDS, LockstepTest, is_pending
from mini_slurm import MiniSlurm, ended, missing_programs


# As the launcher's page has it.
SCRIPT = """#!/bin/bash
#SBATCH --requeue --signal=B:USR1@180 --ntasks=2 --output={run}.log --open-mode=append
{launcher} & trap "kill -USR1 $!" USR1
wait $!; wait $!; [ $? != 75 ] || scontrol requeue $SLURM_JOB_ID
"""


class PreemptionTest(LockstepTest):
    settings = ""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.slurm = MiniSlurm(nodes=1, cpus=4, settings=cls.settings)
        cls.addClassCleanup(cls.slurm.stop)
        cls.slurm.start()
        cls.pool = ThreadPoolExecutor()
        cls.addClassCleanup(cls.pool.shutdown)

    def launch(self, *words):
        done = launch(self.folder, *words, environment=self.slurm.environment())
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    @staticmethod
    def holding(hold, export="ALL"):
        return f"--sbatch=--export={export},LOCKSTEP_HARD_LIMIT_SECONDS=600,LOCKSTEP_HOLD={hold.text}"

    def urgent(self, *words):
        """Starts a job that wants others' place; it ends when it has it."""
        return self.pool.submit(self.slurm.run, "srun", "--partition=urgent", *words, "true")

    def check_end(self, job, log, step, digest):
        """The job did not wait for the end of its grace, and went on after the step if there is
        one, else never stopped."""
        state = self.slurm.await_job(job, ended)
        text = log.read_text()
        self.assertEqual((state.get("JobState"), state.get("Restarts")),
                         ("COMPLETED", "1" if step else "0"), text + self.slurm.logs())
        self.assertEqual(re.findall(r"going on after step (\d+),", text), [str(step)] * bool(step))
        self.assertIn(f"weights xxh3:{digest}\n", text)
        self.assertNotIn("DUE TO PREEMPTION", text)
        return text


@unittest.skipIf(os.geteuid() != 0, "needs root")
@unittest.skipIf(missing_programs(), f"not installed: {missing_programs()}")
class SlurmPreemptionTest(PreemptionTest):
    def submit(self, run, hold, *words, export="ALL"):
        said = self.launch("slurm", self.experiment, "--run-dir", run, "--ranks-per-node", 2,
                           "--max-restarts", 0, self.holding(hold, export), *words)
        return re.match(r"job (\d+) in ", said)[1]

    def check_one_node(self, export):
        """Its ranks save when its time of grace begins."""
        digest = self.train(f"expected-{export}")
        run = self.folder / f"one-{export}"
        hold = self.hold("step", 20)
        job = self.submit(run, hold, export=export)
        hold.reached()
        urgent = self.urgent("--exclusive")
        hold.go_on(after=signal.SIGUSR1)
        urgent.result()
        text = self.check_end(job, run / "slurm.log", 21, digest)
        self.assertIn(f"exit code 75; job {job} goes back to the queue", text)
        self.assertFalse((run / "slurm.lost").exists(), text)

    def test_one_node_saves_when_its_time_of_grace_begins(self):
        self.check_one_node("ALL")

    def test_a_job_without_the_environment_of_its_submission(self):
        """Slurm's variables would keep a PATH from its step."""
        self.check_one_node("NONE")

    def test_ranks_of_srun_save_when_their_time_of_grace_begins(self):
        """Slurm tells them itself; before that it continues those that are stopped."""
        run = self.folder / "srun"
        hold = self.hold("step", 20)
        job = self.submit(run, hold, "--srun", "--set", "training.epochs=100000")
        hold.reached()
        self.urgent("--exclusive").result()
        log = run / "slurm.log"
        state = self.slurm.await_job(
            job, lambda job: "going on after" in log.read_text() or ended(job))
        text = log.read_text()
        self.assertEqual((state.get("JobState"), state.get("Restarts")), ("RUNNING", "1"), text)
        self.slurm.run("scancel", job)
        saved = re.search(r"saved at step (\d+) and ended on request", text)
        self.assertIn(f"going on after step {saved[1]},", text)
        self.assertNotIn("DUE TO PREEMPTION", text)
        self.assertFalse((run / "slurm.lost").exists(), text)

    def submit_sweep(self, sweep, hold):
        """Four runs, each a job of an array."""
        script = self.folder / "launcher" / "lockstep"
        script.parent.mkdir()
        script.write_text(f'#!/bin/sh\nexec {shlex.join(launcher_words(self.folder))} "$@"\n')
        script.chmod(0o755)
        said = self.launch("sweep", self.experiment, "--set", "seed=1:4", "--slurm", "--run-dir",
                           sweep, self.holding(hold))
        return re.search(r"job (\d+), an array of 4 runs", said)[1]

    def test_one_job_of_an_array_makes_room(self):
        """The others neither save nor start again."""
        digests = [self.train(f"seed-{seed}", "--set", f"seed={seed}") for seed in range(1, 5)]
        sweep = self.folder / "sweep"
        hold = self.hold("step", 5)
        array = self.submit_sweep(sweep, hold)
        held = [hold.reached() for _ in digests]
        urgent = self.urgent("--ntasks=1")
        end = time.monotonic() + TIME_LIMIT_SECONDS
        while not (told := [each for each in held if is_pending(signal.SIGUSR1, each)]):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
        self.assertEqual(len(told), 1)
        tasks = [json.loads((sweep / f"{task:03}" / "status.json").read_text())["pid"]
                 for task in range(4)]
        for process in held:
            hold.go_on(process=process)
        urgent.result()
        for task, digest in enumerate(digests):
            self.check_end(f"{array}_{task}", sweep / f"{task:03}" / "output.log",
                           6 if tasks[task] in told else 0, digest)


@unittest.skipIf(os.geteuid() != 0, "needs root")
@unittest.skipIf(missing_programs(), f"not installed: {missing_programs()}")
class UserSignalTest(PreemptionTest):
    """On a cluster that sends jobs the signal of their own."""

    settings = "SlurmctldParameters=preempt_send_user_signal"

    def test_a_script_of_the_users_own_goes_on(self):
        digest = self.train("expected")
        run, hold = self.folder / "own", self.hold("step", 20)
        script = self.folder / "own.sh"
        script.write_text(SCRIPT.format(run=run, launcher=shlex.join(launcher_words(
            self.folder, "train", self.experiment, "--threads", 1, "--run-dir", run))))
        job = self.slurm.run("sbatch", "--parsable", script, cwd=self.folder,
                             LOCKSTEP_HOLD=hold.text).stdout.strip()
        hold.reached()
        urgent = self.urgent("--exclusive")
        hold.go_on(after=signal.SIGUSR1)
        urgent.result()
        self.check_end(job, self.folder / "own.log", 21, digest)


if __name__ == "__main__":
    unittest.main()
