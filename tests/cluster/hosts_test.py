"""Jobs over several hosts: the launcher's questions before the start, equal weights, hosts that
hang or are cut off. Hosts are network namespaces on this machine."""

import json
import os
import re
import signal
import subprocess
import time
import unittest
from pathlib import Path

from hosts_case import HostsTest, tool
from lockstep_run import Hold, is_pending

EXIT_USAGE = 2
EXIT_PEER = 4
EXIT_RESTART = 75


def wait_for_reader(pipe, process):
    """The pipe, open to write to the one who reads it, once there is one."""
    end = time.monotonic() + 400
    while process.poll() is None and time.monotonic() < end:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(0.01)
    raise AssertionError(f"nobody reads {pipe}")


def child_of(process):
    """The only child of a process, which has one thread that starts processes."""
    return int(Path(f"/proc/{process}/task/{process}/children").read_text())


class TwoHostsTest(HostsTest):
    def start_training(self, run, *words, **environment):
        """Starts a training without end on both hosts, and waits for its first steps."""
        process = self.start("train", self.config, "--hosts", "na:1,nb:1", "--run-dir", run,
                             "--set", "training.epochs=100000", *words, **environment)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        metrics = run / "metrics.jsonl"
        end = time.monotonic() + 400
        while not (metrics.exists() and metrics.stat().st_size) and time.monotonic() < end:
            self.assertIsNone(process.poll())
            time.sleep(0.05)
        return process

    def test_the_same_weights_as_on_one_host(self):
        short = ("--set", "training.epochs=1")
        expected = self.expected_digest(*short)
        for hosts in ("na:1,nb:1", "na:2,nb:2", "na:2,nb:1"):
            with self.subTest(hosts):
                self.assertEqual(self.train_on(hosts, "--threads", 1, "--oversubscribe", *short),
                                 expected)

    def test_a_rank_that_hangs_on_another_host(self):
        run = self.shared / "runs" / "hangs"
        process = self.start_training(run, LOCKSTEP_HARD_LIMIT_SECONDS="8")
        os.kill(self.rank_process(1), signal.SIGSTOP)
        _, errors = process.communicate(timeout=400)
        self.assertEqual(process.returncode, EXIT_PEER, errors)
        self.assertRegex(errors, r"\Alockstep: waited \d+ s in: .*; late: nb, of which nothing is "
                         r"heard any more\n\Z")

    def test_a_rank_of_another_host_that_never_comes_says_so_itself(self):
        """Its process is there, as where a file server does not answer."""
        for hosts, late, begin in (("na:1,nb:1", 1, "other hosts have waited too long"),
                                   ("na:1,nb:2", 2, r"waited \d+ s in: [^\n]*")):
            with self.subTest(hosts):
                run = self.shared / "runs" / f"never-comes-{late}"
                hold = Hold(self.shared / f"never-{late}", "step", 30, late)
                process = self.start(
                    "train", self.config, "--hosts", hosts, "--run-dir", run, "--threads", 1,
                    "--oversubscribe", LOCKSTEP_HOLD=hold.text, LOCKSTEP_HARD_LIMIT_SECONDS="8")
                self.addCleanup(process.communicate)
                self.addCleanup(process.kill)
                _, errors = process.communicate(timeout=400)
                self.assertEqual(process.returncode, EXIT_PEER, errors)
                self.assertRegex(errors, rf"\Alockstep: {begin}; late: rank {late} on nb "
                                 r"\(process \d+, last seen in: [^\n]*\)\n\Z")

    def test_long_work_of_rank_0_may_outlast_the_hard_limit(self):
        run = self.shared / "runs" / "long-work"
        hold = Hold(self.shared / "report", "report", "*", 0)
        process = self.start_training(run, "--set", "training.epochs=1", LOCKSTEP_HOLD=hold.text,
                                      LOCKSTEP_HARD_LIMIT_SECONDS="8")
        log = run / "logs" / "rank-1.log"
        end = time.monotonic() + 400
        # Which is said once the hard limit is over, in whichever second that is seen.
        while not (log.exists() and re.search(r"waiting for \d+ s in", log.read_text())):
            self.assertIsNone(process.poll())
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        hold.reached(process)
        hold.go_on()
        _, errors = process.communicate(timeout=400)
        self.assertEqual(process.returncode, 0, errors)

    def test_data_of_another_content(self):
        text = (self.data / "train.csv").read_text()
        other = self.shared / "other.csv"
        other.write_text(text[:-2] + ("1" if text[-2] != "1" else "2") + "\n")
        self.net.on("nb", "mount", "--bind", other, self.data / "train.csv")
        self.addCleanup(self.net.on, "nb", "umount", self.data / "train.csv")
        done = self.launch("train", self.config, "--hosts", "na:1,nb:1")
        self.assertEqual(done.returncode, EXIT_USAGE, done.stderr)
        self.assertRegex(done.stderr, r"\Alockstep: rank 1 on nb \(xxh3:[0-9a-f]{32}\) has another "
                         r".*/train\.csv than rank 0 on na \(.*\); copy one file to all hosts\n\Z")

    def test_a_host_that_is_cut_off_ends_the_job(self):
        self.addCleanup(self.net.restore, "nb")
        run = self.shared / "runs" / "cut"
        # Long before the ranks would be waited for.
        process = self.start_training(run, LOCKSTEP_HARD_LIMIT_SECONDS="3000")
        self.net.cut("nb")
        _, errors = process.communicate(timeout=400)
        self.assertEqual(process.returncode, EXIT_PEER, errors)
        self.assertRegex(errors, r"(?m)^lockstep: .*\bnb\b")

    def test_a_host_that_is_cut_off_while_mpirun_speaks_to_it(self):
        self.addCleanup(self.net.restore, "nb")
        run = self.shared / "runs" / "cut-short"
        process = self.start_training(run, LOCKSTEP_HARD_LIMIT_SECONDS="3000")
        self.net.cut("nb")
        process.send_signal(signal.SIGUSR1)  # which mpirun passes on to nb
        _, errors = process.communicate(timeout=400)
        self.assertEqual(process.returncode, EXIT_PEER, errors)
        self.assertRegex(errors, r"(?m)^lockstep: nb was lost: ")

    def test_a_request_that_comes_before_the_ranks(self):
        """The agent does not reach the second host before the launcher was told to end."""
        pipe = self.shared / "pipe"
        os.mkfifo(pipe)
        tool(self.shared, "agent", f'case "$*" in *orted*) read x <{pipe};; esac\n'
                                   f'exec {self.net.agent} "$@"')
        run = self.shared / "runs" / "early"
        process = self.start("train", self.config, "--hosts", "na:1,nb:1", "--run-dir", run,
                             "--set", "training.epochs=100000",
                             OMPI_MCA_plm_rsh_agent=str(self.shared / "agent"))
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        with open(wait_for_reader(pipe, process), "w") as file:
            mpirun = child_of(process.pid)
            os.kill(mpirun, signal.SIGSTOP)
            process.send_signal(signal.SIGTERM)
            while not is_pending(signal.SIGUSR1, mpirun):
                time.sleep(0.001)
            file.write("go on\n")
            os.kill(mpirun, signal.SIGCONT)
        _, errors = process.communicate(timeout=400)
        self.assertEqual(process.returncode, EXIT_RESTART, errors)

    def test_restart_on_the_hosts_that_are_left(self):
        finite = ("--set", "training.epochs=20", "--set", "checkpoint.every_steps=10")
        expected = self.expected_digest(*finite)
        run = self.shared / "runs" / "left"
        every = ("--set", "training.log_every_steps=1", "--threads", 1, "--max-restarts", 1)
        hold = Hold(self.shared / "hold", "step", 15, 0)
        process = self.start("train", self.config, "--hosts", "na:1,nb:1", "--run-dir", run, *finite,
                             *every, LOCKSTEP_HARD_LIMIT_SECONDS="10", LOCKSTEP_HOLD=hold.text)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        hold.reached(process)
        agent = self.net.agent.read_text()
        self.addCleanup(self.net.agent.write_text, agent)
        self.addCleanup(self.net.restore, "nb")
        lines = agent.splitlines(keepends=True)
        self.net.agent.write_text("".join(line for line in lines if not line.startswith("nb)")))
        self.net.cut("nb")
        hold.go_on()
        hold.reached(process)  # that of the restart
        hold.go_on()
        output, errors = process.communicate(timeout=400)
        self.assertEqual(process.returncode, 0, errors)
        self.assertRegex(errors, "(?m)^lockstep: .*; restart 1 of 1 in ")
        self.assertRegex(errors, "(?m)^lockstep: nb: not reached: .*; going on without it$")
        done = subprocess.CompletedProcess([], 0, output, errors)
        self.assertEqual(self.digest_of(done), expected)
        environment = json.loads((run / "environment.json").read_text())
        self.assertEqual(environment["world_size"], 1)


class PreflightTest(HostsTest):
    """What is wrong with a host is said before the start."""

    def refused(self, *words, hosts="na:1,nb:1"):
        """The lines of a start that is refused."""
        done = self.launch("train", self.config, "--threads", 1, "--hosts", hosts, *words)
        self.assertEqual(done.returncode, EXIT_USAGE, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertFalse((self.project / "models").exists())
        lines = done.stderr.splitlines()
        for line in lines:
            self.assertTrue(line.startswith("lockstep: "), line)
        return lines

    def test_hosts_that_are_not_reached_and_one_that_is(self):
        lines = self.refused(hosts="na:1,nb:1,nx:1,ny:1")
        self.assertEqual(len(lines), 2)
        for line, name in zip(lines, ("nx", "ny")):
            self.assertRegex(line, f"^lockstep: {name}: not reached: no host {name}")

    def test_another_build(self):
        other = self.shared / "other"
        other.write_bytes(self.program.read_bytes() + b"\0")
        other.chmod(0o755)
        self.net.on("nb", "mount", "--bind", other, self.program)
        self.addCleanup(self.net.on, "nb", "umount", self.program)
        lines = self.refused()
        self.assertEqual(len(lines), 1)
        self.assertRegex(lines[0], r"^lockstep: nb: has another build of .*/build/lockstep")

    def test_all_that_is_wrong_with_a_host_at_once(self):
        self.net.on("nb", "mount", "-t", "tmpfs", "tmpfs", self.data)
        self.addCleanup(self.net.on, "nb", "umount", self.data)
        self.net.limit_cores({"nb": "0"})
        self.addCleanup(self.net.limit_cores, {})
        lines = self.refused(hosts="na:1,nb:2,nx:1")
        self.assertRegex(lines[0], "^lockstep: nx: not reached: ")
        self.assertRegex(lines[1], r"^lockstep: nb: cannot read .*/data/train\.csv; ")
        self.assertRegex(lines[2], r"^lockstep: nb: 2 ranks of 1 thread, but 1 core; ")
        self.assertEqual(len(lines), 3)

    def test_other_data(self):
        other = self.shared / "other.csv"
        other.write_text((self.data / "train.csv").read_text() + "\n")
        self.net.on("nb", "mount", "--bind", other, self.data / "train.csv")
        self.addCleanup(self.net.on, "nb", "umount", self.data / "train.csv")
        lines = self.refused()
        self.assertEqual(len(lines), 1)
        self.assertRegex(lines[0], r"^lockstep: nb: has another .*/train\.csv: \d+ bytes, on na ")

    def test_the_command_line(self):
        ranks = min(2, len(os.sched_getaffinity(0)))  # of each host, which has no more cores
        hosts = f"na:{ranks},nb:{ranks}"
        done = self.launch("train", self.config, "--threads", 1, "--hosts", hosts,
                           "--print-command")
        self.assertEqual(done.returncode, 0, done.stderr)
        words = done.stdout.split()
        for pair in (f"--host {hosts}", f"-np {2 * ranks}", "--map-by slot:PE=1", "--bind-to core",
                     "btl_tcp_if_include 10.77.3.0/24", "oob_tcp_if_include 10.77.3.0/24",
                     "-x LOCKSTEP_ROOT"):
            name, value = pair.split()
            self.assertIn((name, value), list(zip(words, words[1:])))


if __name__ == "__main__":
    unittest.main()
