"""Trainings as jobs of a real Slurm of two pretended nodes: `lockstep slurm`, `status`,
`logs` and `cancel`, the time limit, a lost node, srun."""

import contextlib
import json
import os
import re
import shlex
import signal
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from built_launcher import launch, launcher_words
from lockstep_run import BINARY, Hold, LockstepTest
from mini_slurm import MiniSlurm, ended, missing_programs

LONG = ("--set", "training.epochs=10", "--set", "training.log_every_steps=1",
        "--set", "checkpoint.every_steps=10")
ENDLESS = ("--set", "training.epochs=100000", *LONG[2:])


def ranks_of(run):
    """The processes of this host that train in a run folder."""
    found = []
    for name in os.listdir("/proc"):
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == os.fsencode(BINARY) and os.fsencode(run) in words:
            found.append(int(name))
    return found


@unittest.skipIf(os.geteuid() != 0, "needs root")
@unittest.skipIf(missing_programs(), f"not installed: {missing_programs()}")
class SlurmTest(LockstepTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.slurm = MiniSlurm(nodes=2)
        cls.addClassCleanup(cls.slurm.stop)
        cls.slurm.start()
        # The limit is a minute, in which the other tests go on: it has a Slurm of its own.
        cls.slurm_of_limited = MiniSlurm(nodes=2)
        cls.addClassCleanup(cls.slurm_of_limited.stop)
        cls.slurm_of_limited.start()
        pool = ThreadPoolExecutor()
        cls.addClassCleanup(pool.shutdown)
        cls.limited = pool.submit(cls.train_to_the_limit, Hold(cls.folder / "limit", "step", 20, 0))

    @classmethod
    def train_to_the_limit(cls, hold):
        """A job that is held until its limit is near; what is known of it at its end."""
        slurm = cls.slurm_of_limited
        done = launch(cls.folder, "slurm", cls.experiment, "--run-dir", cls.folder / "limited",
                      "--nodes", 2, "--time", "1", *LONG,
                      "--sbatch=--export=ALL,LOCKSTEP_HARD_LIMIT_SECONDS=600,"
                      f"LOCKSTEP_HOLD={hold.text}", environment=slurm.environment())
        assert done.returncode == 0, done.stderr
        job = re.match(r"job (\d+) in ", done.stderr)[1]
        hold.reached()
        hold.go_on(after=signal.SIGUSR1)
        return slurm.await_job(job, ended)

    def launch(self, *words):
        return launch(self.folder, *words, environment=self.slurm.environment())

    def submit(self, run, *words):
        """Submits a training in the run folder `run`; its job's number."""
        done = self.launch("slurm", self.experiment, "--run-dir", self.folder / run, *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return re.match(r"job (\d+) in ", done.stderr)[1]

    def reference(self, run, *words):
        done = self.lockstep("train", self.experiment, "--run-dir", self.folder / run,
                             "--threads", 1, *words, ranks=None)
        return self.outcome(run, self.digest_of(done))

    def log(self, run):
        path = self.folder / run / "slurm.log"
        return path.read_text() if path.exists() else ""

    def check_end(self, run, job, expected):
        """The job ends well and leaves what an uninterrupted run leaves."""
        state = self.slurm.await_job(job, ended)
        self.check_state(run, state, expected, self.slurm)
        return state

    def check_state(self, run, state, expected, slurm):
        """The same for a job that has ended."""
        self.assertEqual(state.get("JobState"), "COMPLETED", self.log(run) + slurm.logs())
        digest = re.findall(r"^weights xxh3:(\w+)$", self.log(run), re.MULTILINE)
        self.assertEqual(len(digest), 1, self.log(run))
        self.assert_same_outcome(self.outcome(run, digest[0]), expected)

    def world_size(self, run):
        newest = sorted((self.folder / run / "checkpoints").glob("step-*"))[-1]
        return json.loads((newest / "state.json").read_text())["world_size"]

    def test_two_nodes_like_one_process(self):
        expected = self.reference("alone")
        for starter in ((), ("--srun",)):
            with self.subTest(starter=starter):
                run = f"two{''.join(starter)}"
                job = self.submit(run, "--nodes", 2, "--ranks-per-node", 2, *starter)
                state = self.check_end(run, job, expected)
                self.assertEqual((state["NodeList"], state["Restarts"]), ("n[1-2]", "0"),
                                 self.log(run))
                self.assertEqual(self.world_size(run), 4)

    def test_time_limit_saves_and_goes_on(self):
        expected = self.reference("unlimited", *LONG)
        state = self.limited.result()
        script = self.folder / "limited" / "slurm.sh"
        self.assertIn("#SBATCH --signal=B:USR1@20\n", script.read_text())
        self.check_state("limited", state, expected, self.slurm_of_limited)
        job = state["JobId"]
        self.assertEqual(state["Restarts"], "1")
        self.assertIn(f"lockstep: exit code 75; job {job} goes back to the queue",
                      self.log("limited"))
        self.assertIn("going on in", self.log("limited"))

    def test_cancelled_run_is_saved_and_can_go_on(self):
        expected = self.reference("whole", *LONG)
        del expected["best weights"]  # the file tells of the epochs that were asked for first
        for starter in ((), ("--srun",)):
            run = f"cancelled{''.join(starter)}"
            with self.subTest(run=run):
                hold = self.hold("step", 20)
                job = self.submit(run, "--nodes", 2, *starter, *ENDLESS,
                                  f"--sbatch=--export=ALL,LOCKSTEP_HOLD={hold.text}")
                hold.reached()
                line = self.launch("status", self.folder / run).stdout.splitlines()[1]
                self.assertRegex(line, rf"running +\d+ +\d+/1700000 .* {job}$")
                with ThreadPoolExecutor() as pool:
                    cancelling = pool.submit(self.launch, "cancel", self.folder / run)
                    hold.go_on(after=signal.SIGUSR1)
                    done = cancelling.result()
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stderr, r": saved \(saved at step \d+ and ended on request\)")
                state = self.slurm.job(job)
                self.assertEqual((state["JobState"], state["Restarts"]), ("FAILED", "0"))
                self.assertEqual(state["ExitCode"], "75:0")
                # On one node now.
                job = self.submit(run, "--ranks-per-node", 2, *LONG)
                self.check_end(run, job, expected)

    def test_lost_node(self):
        expected = self.reference("quiet", *LONG)
        hold = self.hold("step", 105)
        job = self.submit("lost", "--nodes", "1-2", *LONG,
                          f"--sbatch=--export=ALL,LOCKSTEP_HOLD={hold.text}")
        hold.reached()
        self.assertEqual(len(ranks_of(str(self.folder / "lost"))), 2)
        self.slurm.kill_node("n1")  # where the script and rank 0 run
        with contextlib.suppress(ProcessLookupError):
            os.kill(hold.process, signal.SIGKILL)
        try:
            self.slurm.await_job(job, lambda job: job.get("JobState") == "RUNNING")
            hold.reached()
            hold.go_on()
            state = self.check_end("lost", job, expected)
            self.assertEqual((state["NodeList"], state["Restarts"]), ("n2", "1"))
            self.assertEqual(self.world_size("lost"), 1)
        finally:
            self.slurm.start_node("n1")
            self.slurm.await_nodes()

    def test_pending_job_is_cancelled(self):
        job = self.submit("pending", "--sbatch=--begin=now+1hour")
        self.assertIn("PENDING", self.launch("status", self.folder / "pending").stdout)
        done = self.launch("cancel", self.folder / "pending")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.slurm.job(job)["JobState"], "CANCELLED")

    def test_training_within_an_allocation(self):
        expected = self.reference("outside")
        words = launcher_words(self.folder, "train", self.experiment, "--run-dir",
                               self.folder / "inside")
        done = self.slurm.run("salloc", "--nodes=2", "--ntasks-per-node=1", *words,
                              cwd=self.folder, LOCKSTEP_ROOT=str(self.folder))
        self.assert_same_outcome(self.outcome("inside", self.digest_of(done)), expected)
        self.assertEqual(self.world_size("inside"), 2)

    def test_srun_without_pmix_is_refused(self):
        done = self.slurm.run("srun", "--mpi=none", "--nodes=2", "--ntasks=2", BINARY, "train",
                              self.experiment, "--run-dir", self.folder / "worlds", check=False,
                              LOCKSTEP_ROOT=str(self.folder))
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("srun --mpi=pmix", done.stderr)
        self.assertFalse((self.folder / "worlds").exists())

    def test_copies_of_the_launcher_are_refused(self):
        words = launcher_words(self.folder, "train", self.experiment, "--run-dir",
                               self.folder / "copies")
        done = self.slurm.run("srun", "--ntasks=2", *words, check=False, cwd=self.folder,
                              LOCKSTEP_ROOT=str(self.folder))
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(len(re.findall(r"(?m)^lockstep: ", done.stderr)), 2, done.stderr)
        self.assertIn(f"type srun --mpi=pmix -n 2 {BINARY} train ", done.stderr)
        self.assertFalse((self.folder / "copies").exists())
        done = self.slurm.run("srun", "--ntasks=1", *words, "-np", "1", "--set",
                              "training.epochs=1", check=False, cwd=self.folder, LOCKSTEP_ROOT=str(self.folder))
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_bad_requests(self):
        cases = ((("--nodes", "0"), "--nodes is '0'"),
                 (("--nodes", "3", "--ranks-per-node", "2"), "training.lanes is 5"),
                 (("--time", "soon"), "--time is 'soon'"),
                 (("--set", "training.epochs=many"), "training.epochs"),
                 (("--partition", "fast"), "sbatch: "))
        for words, expected in cases:
            with self.subTest(words=words):
                done = self.launch("slurm", self.experiment, *words)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(expected, done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)

    def submit_sweep(self, *arguments):
        """Submits a sweep over seeds; its folder and job."""
        # The tasks start the launcher of the project's folder, which is the test's here.
        script = self.folder / "launcher" / "lockstep"
        script.parent.mkdir(exist_ok=True)
        words = shlex.join(launcher_words(self.folder))
        script.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        script.chmod(0o755)
        sweep = self.folder / f"sweep{len(arguments)}"
        done = self.launch("sweep", self.experiment, "--set", "seed=1:4", "--slurm",
                           "--run-dir", sweep, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return sweep, re.search(r"job (\d+), an array of 4 runs", done.stderr)[1]

    def test_sweep_is_an_array_of_jobs(self):
        sweep, job = self.submit_sweep("--sbatch=--hold")
        self.assertRegex(self.launch("status", sweep).stdout, rf"\d PENDING .* {job}\n")
        self.slurm.run("scontrol", "release", job)
        for task in range(4):
            state = self.slurm.await_job(f"{job}_{task}", ended)
            log = (sweep / f"slurm-{task}.log").read_text()
            self.assertEqual(state.get("JobState"), "COMPLETED", log + self.slurm.logs())
            run = sweep / f"{task:03}"
            digests = [json.loads(line)["weights_digest"]
                       for line in (run / "metrics.jsonl").read_text().splitlines()
                       if '"epoch"' in line and "weights_digest" in line]
            expected = self.reference(f"seed-{task}", "--set", f"seed={task + 1}")
            self.assertEqual(digests[-1], expected["digest"])

    def rows(self, sweep):
        """What `status` says of each run of a sweep, by the run's folder."""
        done = self.launch("status", sweep)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
        return {name.rpartition("/")[2]: rest for name, rest in rows
                if name.startswith(f"{sweep}/")}

    def test_array_is_cancelled(self):
        """First one run of the sweep, then all: two run at a time, two wait."""
        hold = self.hold("step", 5)
        sweep, job = self.submit_sweep("--jobs", 2, "--sbatch=--export=ALL,LOCKSTEP_HARD_LIMIT_"
                                       f"SECONDS=600,LOCKSTEP_HOLD={hold.text}")
        held = {hold.reached(), hold.reached()}
        rows = self.rows(sweep)
        self.assertEqual(list(rows), ["000", "001", "002", "003"])
        for task, state in enumerate(("running", "running", "PENDING", "PENDING")):
            self.assertRegex(rows[f"{task:03}"], rf"^{state} .* {job}_{task}$")
        with ThreadPoolExecutor() as pool:
            cancelling = pool.submit(self.launch, "cancel", sweep / "000")
            first = json.loads((sweep / "000" / "status.json").read_text())["pid"]
            hold.go_on(after=signal.SIGUSR1, process=first)
            done = cancelling.result()
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stderr, r"/000: saved \(saved at step 6 and ended on request\)\n")
            held = held - {first} | {hold.reached()}
            state = self.slurm.await_job(f"{job}_0", ended)
            self.assertEqual((state["JobState"], state["Restarts"]), ("FAILED", "0"))
            self.assertRegex(self.rows(sweep)["002"], "^running ")
            cancelling = pool.submit(self.launch, "cancel", sweep)
            for process in held:
                hold.go_on(after=signal.SIGUSR1, process=process)
            done = cancelling.result()
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [line.rpartition("/")[2] for line in done.stderr.splitlines()]
        saved = "saved (saved at step 6 and ended on request)"
        self.assertEqual(lines, [f"000: {saved}", f"001: {saved}", f"002: {saved}",
                                 "003: cancelled (it had not begun)"])
        self.assertEqual(self.slurm.run("squeue", "--noheader", "--jobs", job, check=False).stdout,
                         "")
        self.assertEqual([row.split()[0] for row in self.rows(sweep).values()],
                         ["saved", "saved", "saved", "new"])
        line = self.launch("status", sweep).stdout.splitlines()[1]
        self.assertRegex(line, rf"^{sweep} +3 saved, 1 new ")

    def test_logs(self):
        job = self.submit("logged", "--set", "training.epochs=1")
        self.slurm.await_job(job, ended)
        self.assertEqual(self.launch("logs", self.folder / "logged").stdout, self.log("logged"))


if __name__ == "__main__":
    unittest.main()
