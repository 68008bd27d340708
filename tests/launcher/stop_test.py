"""What the launcher does between a user and mpirun: requests to stop, output, messages."""

import fcntl
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from fake_project import ANSWER_NEEDS, FakeProjectTest

LOOP = "i=0; while [ $i -lt 12000 ]; do sleep 0.05; i=$((i + 1)); done; exit 99"


class StopTest(FakeProjectTest):
    """With an mpirun that does as it is told."""

    def start(self, mpirun):
        self.tool("mpirun", mpirun)
        process = subprocess.Popen(
            [sys.executable, self.project / "launcher" / "lockstep", "train", "-np", "2"],
            env=self.environment(), cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )
        for each in (process.stdout.close, process.stderr.close, process.kill):
            self.addCleanup(each)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def test_a_request_that_is_lost_is_repeated(self):
        process = self.start(f"""
            n=0; trap 'n=$((n + 1)); [ $n -lt 3 ] || exit 75' USR1; echo ready; {LOOP}""")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=200), 75)

    def test_no_other_thread_takes_a_request(self):
        """Of two that come together it could take both, and the one that acts would sleep on."""
        process = self.start(f"echo ready; {LOOP}")
        threads = set(os.listdir(f"/proc/{process.pid}/task")) - {str(process.pid)}
        self.assertTrue(threads)  # that passed "ready" on
        for thread in threads:
            status = Path(f"/proc/{process.pid}/task/{thread}/status").read_text()
            blocked = int(re.search(r"(?m)^SigBlk:\s*(\w+)", status)[1], 16)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1,
                           signal.SIGALRM):
                self.assertTrue(blocked >> (number - 1) & 1, number.name)

    def test_an_mpirun_that_ends_before_it_has_ranks(self):
        end = f"trap 'exit 0' USR1; echo >{self.folder}/pipe; {LOOP}"
        for command, status in (("train", 75), ("evaluate", 128 + signal.SIGTERM)):
            with self.subTest(command):
                (self.folder / "pipe").unlink(missing_ok=True)
                os.mkfifo(self.folder / "pipe")
                self.tool("mpirun", end)
                process = subprocess.Popen(
                    [sys.executable, self.project / "launcher" / "lockstep", command, "-np", "2"],
                    env=self.environment(), cwd=self.folder, stderr=subprocess.PIPE, text=True)
                self.addCleanup(process.kill)
                (self.folder / "pipe").read_text()
                process.send_signal(signal.SIGTERM)
                _, errors = process.communicate(timeout=200)
                self.assertEqual(process.returncode, status)
                self.assertIn("lockstep: ended on request before the ranks had begun\n", errors)

    def test_usr1_asks_to_save_however_often_it_comes(self):
        process = self.start(f"""
            trap 'echo USR1; n=$((n + 1)); [ $n -lt 2 ] || exit 75' USR1
            trap 'echo TERM; exit 1' TERM; n=0; echo ready; {LOOP}""")
        process.send_signal(signal.SIGUSR1)
        self.assertEqual(process.stdout.readline(), "USR1\n")
        process.send_signal(signal.SIGUSR1)
        self.assertEqual(process.wait(timeout=200), 75)
        self.assertEqual(process.stdout.read(), "USR1\n")

    def test_several_signals_of_one_cause_are_one_request(self):
        """As from a terminal and its shell, `timeout`, or a manager of services."""
        for causes in ((signal.SIGHUP, signal.SIGTERM), (signal.SIGTERM, signal.SIGTERM),
                       (signal.SIGHUP, signal.SIGHUP), (signal.SIGINT, signal.SIGTERM)):
            with self.subTest(causes):
                process = self.start(f"""
                    trap 'echo USR1; n=$((n + 1)); [ $n -lt 3 ] || exit 75' USR1
                    trap 'echo TERM; exit 1' TERM; n=0; echo ready; {LOOP}""")
                for number in causes:
                    process.send_signal(number)
                    self.assertEqual(process.stdout.readline(), "USR1\n")
                self.assertEqual(process.stdout.read(), "USR1\n")
                self.assertEqual(process.wait(timeout=200), 75)

    def test_an_mpirun_that_does_not_listen_is_killed(self):
        path = self.project / "launcher" / "running.py"
        path.write_text(path.read_text().replace("SECONDS_TO_END = 10", "SECONDS_TO_END = 1"))
        process = self.start(f"trap '' TERM; trap 'echo USR1' USR1; echo ready; {LOOP}")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.stdout.readline(), "USR1\n")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=200), 128 + signal.SIGINT)

    def test_a_reader_that_goes_does_not_end_the_training(self):
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        process = self.start(f"""
            echo ready; read x <{pipe}
            i=0; while [ $i -lt 2000 ]; do
              echo 'a line of sixty-four characters, so that all fill pipes ........'
              i=$((i + 1)); done; exit 75""")
        process.stdout.close()
        pipe.write_text("go\n")
        self.assertEqual(process.wait(timeout=200), 75)

    def test_an_output_that_cannot_be_written(self):
        self.tool("mpirun", "echo done")
        with open("/dev/full", "w") as full:
            result = subprocess.run(
                [sys.executable, self.project / "launcher" / "lockstep", "train", "-np", "2"],
                env=self.environment(), stdout=full, stderr=subprocess.PIPE, text=True,
                cwd=self.folder, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("lockstep: standard output: No space left on device", result.stderr)

    def test_what_mpirun_says_is_shown_where_nothing_else_is(self):
        dashes = "-" * 76
        said = f"echo {dashes} >&2; echo 'no room for the ranks' >&2; echo {dashes} >&2; exit 1"
        self.tool("mpirun", said)
        result = self.launch("train", "-np", "2")
        self.assertEqual(result.returncode, 1)
        self.assertIn("no room for the ranks", result.stderr)
        self.tool("mpirun", f"echo 'lockstep: the cause' >&2; {said}")
        result = self.launch("train", "-np", "2")
        self.assertIn("lockstep: the cause", result.stderr)
        self.assertNotIn("no room", result.stderr)

    def test_saved_on_request_is_no_failure_however_mpirun_ends(self):
        """As where its processes on other nodes get the request as well, and do not outlive it."""
        for status in (205, 137, 1):
            with self.subTest(status):
                self.tool("mpirun", f"echo 'saved in run; the same command goes on'; exit {status}")
                result = self.launch("train", "-np", "2")
                self.assertEqual(result.returncode, 75)
                self.assertNotIn("killed", result.stderr)

    def test_mpirun_itself_is_killed(self):
        self.tool("mpirun", "kill -KILL $$")
        result = self.launch("train", "-np", "2")
        self.assertEqual(result.returncode, 4)
        self.assertIn("lockstep: mpirun was killed by SIGKILL\n", result.stderr)

    @unittest.skipUnless(os.access("/dev/shm", os.W_OK), "there is no /dev/shm")
    def test_folders_of_killed_launchers_are_removed(self):
        old, used = (tempfile.mkdtemp(prefix="lockstep-", dir="/dev/shm") for _ in range(2))
        file = os.open(used, os.O_RDONLY)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.launch("train", "-np", "2")
            self.assertFalse(Path(old).exists())
            self.assertTrue(Path(used).exists())
        finally:
            os.close(file)
            os.rmdir(used)

    def check_refused(self, message, **env):
        result = self.launch("train", "-np", "2", **env)
        self.assertEqual(result.returncode, 2, result.stdout)
        self.assertEqual(len(result.stderr.splitlines()), self.lines, result.stderr)
        self.assertIn(f"lockstep: {message}", result.stderr)

    def test_surroundings_that_cannot_work(self):
        self.launch("build")
        self.lines = 1
        job = {"SLURM_JOB_ID": "5", "SLURM_JOB_NUM_NODES": "1", "SLURM_JOB_CPUS_PER_NODE": "1"}
        self.check_refused("-np is 2, but the Slurm job 5 around has room for 1 of 1 thread; ", **job)
        self.check_refused("SLURM_JOB_NUM_NODES is 'x': expected a number",
                           **job | {"SLURM_JOB_NUM_NODES": "x"})
        for value in ("abc", "-1", "nan", "", "0", "5s"):
            self.check_refused(f"LOCKSTEP_HARD_LIMIT_SECONDS is {value!r}",
                               LOCKSTEP_HARD_LIMIT_SECONDS=value)
        self.check_refused("TMPDIR is", TMPDIR=str(self.folder / "program"))
        enough = {"SLURM_JOB_CPUS_PER_NODE": "2", "SLURM_CPUS_PER_TASK": ""}
        self.assertEqual(self.launch("train", "-np", "2", **job | enough).returncode, 0)

    def test_one_of_several_copies(self):
        srun = {"SLURM_JOB_ID": "5", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2"}
        mpirun = {"OMPI_COMM_WORLD_SIZE": "2"}
        self.lines = 1
        for rank in ("0", "1"):
            self.check_refused("srun started 2 copies of the launcher, ",
                               **srun | {"SLURM_PROCID": rank})
            self.check_refused("mpirun started 2 copies of the launcher, ",
                               **mpirun | {"OMPI_COMM_WORLD_RANK": rank})
        # Of srun --pty the first task alone has the terminal; there the others end.
        self.check_refused("srun started 2 copies of the launcher, ",
                           **srun | {"SLURM_PROCID": "1", "SLURM_PTY_PORT": "3000"})
        self.assertFalse((self.project / "build").exists())
        one = srun | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}
        for env in (one, srun | {"SLURM_PROCID": "0", "SLURM_PTY_PORT": "3000"},
                    srun | {"SLURM_PROCID": "0", "SLURM_STEP_ID": "4294967290"},
                    {"SLURM_JOB_ID": "5", "SLURM_NTASKS": "2", "SLURM_PROCID": "0"},
                    mpirun | {"OMPI_COMM_WORLD_SIZE": "1"}):
            with self.subTest(env):
                done = self.launch("train", "-np", "1", **env)
                self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.launch("status", **srun | {"SLURM_PROCID": "1"}).returncode, 0)

    def test_the_program_alone_is_no_rank_of_the_job_around(self):
        """Neither where it is asked nor where it is the only rank."""
        (self.folder / "program").write_text(f"""#!/bin/sh
            [ -n "$UNDER_MPIRUN" ] || ! env | grep -E '^(OMPI|PMIX|PMI|PALS|FLUX|SLURM)_' >&2 ||
              exit 2
            {ANSWER_NEEDS}""")
        self.tool("mpirun", """
            while [ "${1##*/}" != lockstep ]; do shift; done
            [ "$OMPI_COMM_WORLD_SIZE$SLURM_PROCID" ] && UNDER_MPIRUN=1 "$@" """)
        srun = {"SLURM_JOB_ID": "5", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2",
                "SLURM_PROCID": "0", "SLURM_PTY_PORT": "3000"}
        mpirun = {"PMIX_RANK": "0", "OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0"}
        others = {"FLUX_JOB_SIZE": "2", "PALS_RANKID": "0", "PMI_SIZE": "2"}
        for around in (srun, mpirun | others):
            for ranks in ([], ["-np", "1"], ["-np", "2"]):
                with self.subTest(around, ranks=ranks):
                    done = self.launch("train", *ranks, **around)
                    self.assertEqual(done.returncode, 0, done.stderr)

    def ask(self, end):
        """A launcher whose program has been asked and then does so."""
        os.mkfifo(self.folder / "pipe")
        (self.folder / "program").write_text(f"#!/bin/sh\necho >{self.folder}/pipe; {end}\n")
        process = subprocess.Popen(
            [sys.executable, self.project / "launcher" / "lockstep", "train"],
            env=self.environment(), cwd=self.folder, stderr=subprocess.PIPE, text=True,
            start_new_session=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        (self.folder / "pipe").read_text()
        return process

    def test_ctrl_c_while_the_program_is_asked(self):
        process = self.ask("exec sleep 1000")
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, errors = process.communicate(timeout=200)
        self.assertEqual(process.returncode, 130, errors)
        self.assertEqual(errors.splitlines()[-1], "lockstep: interrupted")

    def test_a_program_that_a_signal_kills_while_it_is_asked(self):
        process = self.ask("kill -SEGV $$")
        _, errors = process.communicate(timeout=200)
        self.assertEqual(process.returncode, 128 + signal.SIGSEGV)
        self.assertRegex(errors.splitlines()[-1], "^lockstep: .* was killed by SIGSEGV$")

    def test_too_few_open_files(self):
        self.launch("build")
        result = subprocess.run(
            [sys.executable, self.project / "launcher" / "lockstep", "train", "-np", "2"],
            env=self.environment(), cwd=self.folder, capture_output=True, text=True, check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24)))
        self.assertEqual(result.returncode, 2)
        self.assertIn("lockstep: at most 24 files may be open", result.stderr)

    def test_no_clock_tells_whether_a_training_has_begun(self):
        (self.folder / "program").write_text("""#!/bin/sh
            echo "$*" >>$CALLS; while [ "$1" != --run-dir ]; do shift; done
            echo $$ >$2/status.json; touch -d 2001-01-01 $2/status.json; exit 4\n""")
        run_dir, calls = self.folder / "run", self.folder / "calls"
        run_dir.mkdir()
        (run_dir / "status.json").write_text("of an earlier one")
        self.launch("train", "-np", "2", "--run-dir", str(run_dir), "--resume", "never",
                    "--max-restarts", "1", CALLS=str(calls))
        self.assertEqual([line.split()[-1] for line in calls.read_text().splitlines()],
                         ["never", "auto"])


if __name__ == "__main__":
    unittest.main()
