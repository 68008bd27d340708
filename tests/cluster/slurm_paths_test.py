"""A job of a real Slurm whose paths and names have what a shell and sbatch would take apart,
and which gets TERM alone, as where it must make room for another; two jobs on the same nodes."""

import contextlib
import json
import os
import re
import signal
import unittest

from built_launcher import launch, launcher_words
from lockstep_run import LockstepTest
from mini_slurm import ENDED, MiniSlurm, ended, missing_programs


class JobEnded(Exception):
    pass


class EndOfJob:
    """What a Hold asks while it waits for a job."""

    def __init__(self, slurm, number):
        self._slurm = slurm
        self._number = number

    def poll(self):
        if ended(self._slurm.job(self._number)):
            raise JobEnded


@unittest.skipIf(os.geteuid() != 0, "needs root")
@unittest.skipIf(missing_programs(), f"not installed: {missing_programs()}")
class SlurmPathsTest(LockstepTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.slurm = MiniSlurm(nodes=2)
        cls.addClassCleanup(cls.slurm.stop)
        cls.slurm.start()

    def submit(self, run, hold, *words):
        """Submits a training that a moment holds; its job's number."""
        done = launch(self.folder, "slurm", self.experiment, "--run-dir", run, "--sbatch",
                      f"--export=ALL,LOCKSTEP_HARD_LIMIT_SECONDS=600,LOCKSTEP_HOLD={hold.text}",
                      *words, environment=self.slurm.environment())
        self.assertEqual(done.returncode, 0, done.stderr)
        return re.match(r"job (\d+) in ", done.stderr)[1]

    def test_term_saves_and_goes_on(self):
        digest = self.train("expected")
        run = self.folder / "a b'c \"50%j\" #1" / "run%x (2) $HOME"
        hold = self.hold("step", 5)
        job = self.submit(run, hold, "--job-name", "it's \"a\" #name", "--sbatch=--comment=\"a 'b'\"")
        hold.reached()
        name = self.slurm.run("squeue", "--noheader", "--format=%j", "--jobs", job).stdout
        self.assertEqual(name, "it's \"a\" #name\n")
        self.slurm.run("scancel", "--signal=TERM", "--batch", job)
        hold.go_on(after=signal.SIGUSR1)
        state = self.slurm.await_job(job, ended)
        log = launch(self.folder, "logs", run, environment=self.slurm.environment()).stdout
        self.assertEqual((state.get("JobState"), state.get("Restarts")), ("COMPLETED", "1"), log)
        self.assertIn(f"exit code 75; job {job} goes back to the queue", log)
        self.assertIn(f"weights xxh3:{digest}\n", log)

    def test_backslashes_and_options_of_several_words(self):
        run = self.folder / r"a\b%j\\c"
        done = launch(self.folder, "slurm", self.experiment, "--run-dir", run, "--set",
                      "training.epochs=1", "--sbatch", "-J 'a\\b' --nice=5", "--sbatch", "-t 7",
                      environment=self.slurm.environment())
        self.assertEqual(done.returncode, 0, done.stderr)
        job = re.match(r"job (\d+) in ", done.stderr)[1]
        state = self.slurm.await_job(job, ended)
        log = launch(self.folder, "logs", run, environment=self.slurm.environment())
        self.assertEqual(state.get("JobState"), "COMPLETED", log.stdout + self.slurm.logs())
        self.assertEqual((state["JobName"], state["Nice"], state["TimeLimit"]),
                         (r"a\b", "5", "00:07:00"))
        self.assertRegex(log.stdout, r"(?m)^weights xxh3:\w+$")

    def test_term_to_all_processes_goes_on(self):
        """As where the job must make room: mpirun gets it too, and ends its ranks by force."""
        digest = self.train("expected-all")
        hold = self.hold("step", 20)
        job = self.submit(self.folder / "all", hold)
        hold.reached()
        self.slurm.run("scancel", "--signal=TERM", "--full", job)
        state = self.slurm.await_job(job, ended)
        log = (self.folder / "all" / "slurm.log").read_text()
        self.assertEqual((state.get("JobState"), state.get("Restarts")), ("COMPLETED", "1"), log)
        self.assertIn(f"weights xxh3:{digest}\n", log)

    def test_term_to_the_steps_goes_on(self):
        """As where the job must make room while its nodes have a time of grace: mpirun's daemon
        on the other node ends."""
        digest = self.train("expected-steps")
        run = self.folder / "steps"
        hold = self.hold("step", 20)
        job = self.submit(run, hold, "--nodes", 2)
        hold.reached()
        self.slurm.run("scancel", "--signal=TERM", job)
        hold.go_on()
        state = self.slurm.await_job(job, ended)
        log = (run / "slurm.log").read_text()
        self.assertEqual((state.get("JobState"), state.get("Restarts")), ("COMPLETED", "1"), log)
        self.assertIn(f"weights xxh3:{digest}\n", log)
        if "ended on request" in log:  # the ranks were faster than mpirun, which ends them
            self.assertFalse((run / "slurm.lost").exists(), log)

    def test_a_job_that_makes_room_for_another_was_not_lost(self):
        """Whether its ranks could save, before mpirun ends them, or not."""
        digest = self.train("expected-room")
        run = self.folder / "room"
        hold = self.hold("step", 20)
        job = self.submit(run, hold, "--nodes", 2, "--max-restarts", 0)
        hold.reached()
        self.slurm.run("srun", "--partition=urgent", "--nodes=2", "--exclusive", "true")
        self.slurm.await_job(job, lambda job: job.get("JobState") in ("RUNNING", *ENDED))
        with contextlib.suppress(JobEnded):  # a run that was saved is past the step
            hold.reached(EndOfJob(self.slurm, job))
            hold.go_on()
        state = self.slurm.await_job(job, ended)
        log = (run / "slurm.log").read_text()
        self.assertEqual((state.get("JobState"), state.get("Restarts")), ("COMPLETED", "1"), log)
        self.assertIn(f"weights xxh3:{digest}\n", log)
        self.assertFalse((run / "slurm.lost").exists(), log)

    def test_two_jobs_on_the_same_nodes(self):
        digest = self.train("expected-pair")
        holds = [self.hold("step", 5) for _ in range(2)]
        jobs = [self.submit(self.folder / f"pair-{number}", hold, "--nodes", 2)
                for number, hold in enumerate(holds)]
        for hold in holds:
            hold.reached()  # both train now
        for hold in holds:
            hold.go_on()
        for number, job in enumerate(jobs):
            state = self.slurm.await_job(job, ended)
            log = (self.folder / f"pair-{number}" / "slurm.log").read_text()
            self.assertEqual((state.get("JobState"), state.get("NodeList")),
                             ("COMPLETED", "n[1-2]"), log)
            self.assertIn(f"weights xxh3:{digest}\n", log)

    def test_scancel_is_final(self):
        run = self.folder / "final"
        hold = self.hold("step", 5)
        job = self.submit(run, hold)
        hold.reached()
        self.slurm.run("scancel", job)
        hold.go_on()
        state = self.slurm.await_job(job, lambda job: job.get("JobState") == "CANCELLED")
        self.assertEqual((state.get("JobState"), state.get("Restarts")), ("CANCELLED", "0"))
        log = run / "slurm.log"
        self.assertNotIn("goes back", log.read_text() if log.exists() else "")

    def test_nodes_that_differ(self):
        """Three tasks on two nodes of two cores: two of them on the one, one on the other."""
        digest = self.train("expected-3", "--set", "training.epochs=1")
        words = launcher_words(self.folder, "train", self.experiment, "--set", "training.epochs=1",
                               "--run-dir", self.folder / "three")
        done = self.slurm.run("salloc", "--nodes=2", "--ntasks=3", *words, check=False,
                              cwd=self.folder, LOCKSTEP_ROOT=str(self.folder))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.digest_of(done), digest)
        places = json.loads((self.folder / "three" / "environment.json").read_text())
        self.assertEqual(places["world_size"], 3)


if __name__ == "__main__":
    unittest.main()
