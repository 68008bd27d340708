"""The launcher's restarts, with a program that fails as it is told to."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from fake_project import ANSWER_NEEDS, ROOT, FakeProjectTest

sys.path.insert(0, str(ROOT / "launcher"))

import running  # noqa: E402

# Writes its arguments to $CALLS and ends as the n-th word of $STATUSES says, above
# 128 by a signal, but for 255, which is Open MPI's own.
PROGRAM = "#!/bin/sh" + ANSWER_NEEDS + """
    echo "$*" >>$CALLS
    n=$(wc -l <$CALLS)
    echo "output $n"
    echo "lockstep: failure $n" >&2
    shift $#; set -- $STATUSES; shift $((n - 1))
    [ $1 -le 128 ] || [ $1 = 255 ] || kill -$(($1 - 128)) $$
    exit $1
"""


class PlanTest(unittest.TestCase):
    """The run folder, and the arguments to begin there and to go on."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()

    def check(self, arguments, run_dir, first_resume):
        plan = running.plan_restarts(["x", *arguments, "--set", "seed=2"], 1, Path("/p"),
                                      lambda: self.fail("the name is not needed"))
        words = ["x", "--set", "seed=2", "--run-dir", str(run_dir), "--resume"]
        self.assertEqual(plan.first, [*words, first_resume])
        self.assertEqual(plan.again, [*words, "auto"])

    def test_the_users_run_folder(self):
        self.check(["--run-dir", "a/b"], "a/b", "auto")
        self.check(["--run-dir=a/b"], "a/b", "auto")
        self.check(["--run-dir", "a/b", "--resume", "auto"], "a/b", "auto")

    def test_beginning_anew_is_for_the_first_start_alone(self):
        self.check(["--run-dir", "a/b", "--resume", "never"], "a/b", "never")
        self.check(["--run-dir", "a/b", "--resume=never"], "a/b", "never")

    def test_the_run_folder_of_a_path_to_resume(self):
        self.check(["--resume", str(self.folder)], self.folder, str(self.folder))
        checkpoint = self.folder / "checkpoints" / "step-00000007"
        checkpoint.mkdir(parents=True)
        (checkpoint / "manifest.json").write_text("{}")
        best = self.folder / "checkpoints" / "best"
        best.symlink_to(checkpoint.name)
        for path in (checkpoint, best):
            self.check(["--run-dir", "other", "--resume", str(path)], self.folder, str(path))


class RestartTest(FakeProjectTest):
    """The launcher as a user starts it."""

    def setUp(self):
        super().setUp()
        self.log = self.folder / "calls.log"
        (self.folder / "program").write_text(PROGRAM)
        (self.folder / "x.textproto").write_text('name: "tiny"\n')

    def train(self, most, statuses, *words, ranks=2):
        """Trains with so many restarts at most; gives the result and the program's calls."""
        self.log.unlink(missing_ok=True)
        result = self.launch(
            "train", "x.textproto", "-np", str(ranks), "--max-restarts", str(most), *words,
            CALLS=str(self.log), STATUSES=statuses,
        )
        return result, self.log.read_text().splitlines()

    def test_goes_on_in_one_run_folder_until_it_is_done(self):
        for ranks in (1, 2):
            with self.subTest(ranks=ranks):
                result, calls = self.train(4, "137 4 75 139 0", ranks=ranks)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(len(calls), 5)
                self.assertEqual(len(set(calls)), 1)
                found = re.search(r" x\.textproto --run-dir (\S+) --resume auto$", calls[0])
                self.assertRegex(
                    found[1], rf"^{self.project}/models/tiny/\d{{8}}T\d{{6}}Z-\d+$"
                )
                self.assertEqual(result.stdout.split(), "output 1 output 2 output 3 output 4"
                                                        " output 5".split())
                said = [line for line in result.stderr.splitlines() if "restart" in line]
                self.assertEqual(len(said), 4)
                for number, (line, cause) in enumerate(
                    zip(said, ("SIGKILL", "exit code 4", "exit code 75", "SIGSEGV")), start=1
                ):
                    self.assertIn(f"restart {number} of 4 in {found[1]}", line)
                    self.assertIn(cause, line)
                    self.assertIn(f"failure {number}", line)

    def test_the_programs_messages_come_through(self):
        result, _ = self.train(1, "4 0")
        lines = [line for line in result.stderr.splitlines() if line.startswith("lockstep: fail")]
        self.assertEqual(lines, ["lockstep: failure 1", "lockstep: failure 2"])

    def test_where_open_mpi_ends_the_job_a_peer_was_lost(self):
        result, calls = self.train(1, "255 255")
        self.assertEqual(result.returncode, running.EXIT_PEER, result.stderr)
        self.assertEqual(len(calls), 2)
        self.assertNotIn("killed", result.stderr)

    def test_the_rank_whose_connection_broke_is_named_where_no_other_is(self):
        broken = ("[na][[11553,1],0][../../opal/mca/btl/tcp/btl_tcp_frag.c:135:mca_btl_tcp_frag_send]"
                  " mca_btl_tcp_frag_send: writev failed: Connection reset by peer (104)",
                  "[na:17203] ../../ompi/mca/pml/ob1/pml_ob1_sendreq.c:317 FATAL")
        lost = ("lockstep: rank 0 on na lost its connection to a rank of another host: that died, "
                "or the network failed\n")
        none = ("[[31946,1],1][../../opal/mca/btl/tcp/btl_tcp_endpoint.c:793:mca_btl_tcp_endpoint_"
                "start_connect] from nb to: nc Unable to connect to the peer 10.77.3.3 on port 1024:"
                " No route to host",)
        no_connection = "lockstep: rank 1 on nb cannot connect to nc: No route to host\n"
        more = ("[na:02141] 1 more process has sent help message help-mpi-btl-tcp.txt / peer hung up",
                '[na:02141] Set MCA parameter "orte_base_help_aggregate" to 0 to see all help / error'
                " messages")
        own = "lockstep: waited 8 s in: sum over lanes; late: nb"
        self.launch("build")
        for status, lines, said in ((255, broken, lost), (255, none, no_connection),
                                    (4, (*broken, own, *more), own + "\n")):
            with self.subTest(status):
                words = " ".join(f"'{line}'" for line in lines)
                self.tool("mpirun", f"printf '%s\n' {words} >&2; exit {status}")
                result = self.launch("train", "x.textproto", "-np", "2")
                self.assertEqual((result.returncode, result.stderr), (running.EXIT_PEER, said))

    def test_the_programs_line_of_a_death_is_the_cause(self):
        dashes = "-" * 74
        death = "mpirun noticed that process rank 1 with PID 0 on node nb exited on signal 9 (Killed)."
        for own, cause in (("rank 1 on nb died (process 31, last seen in: forward)",) * 2,
                           ("rank 0 on na died (process 30)", "rank 1 on nb died (SIGKILL)")):
            with self.subTest(own):
                self.tool("mpirun", f"echo 'lockstep: {own}' >&2\n"
                          f"printf '%s\\n' {dashes} '{death}' {dashes} >&2; exit 137")
                result = self.launch("train", "x.textproto", "-np", "2", "--max-restarts", "1",
                                     CALLS=str(self.log), STATUSES="0")
                self.assertIn(f"lockstep: {cause}; restart 1 of 1 in ", result.stderr)
                self.assertEqual(result.stderr.count(f"lockstep: {cause}\n"), 2)

    def test_no_restart_where_it_would_not_help(self):
        for status in (0, 1, 2, 3):
            with self.subTest(status=status):
                result, calls = self.train(3, str(status))
                self.assertEqual(result.returncode, status)
                self.assertEqual(len(calls), 1)
                self.assertNotIn("restart", result.stderr)

    def test_gives_up_with_the_first_cause(self):
        for statuses, status in (("4 137 75", 75), ("75 4 137", 4), ("137 75 4", 4)):
            with self.subTest(statuses):
                result, calls = self.train(2, statuses)
                self.assertEqual(result.returncode, status)
                self.assertEqual(len(calls), 3)
                last = result.stderr.splitlines()[-1]
                self.assertTrue(last.startswith("lockstep: given up after 2 restarts; "), last)
                self.assertIn("failure 1", last)

    def test_a_run_folder_that_the_program_does_not_use_is_not_left(self):
        result, _ = self.train(3, "2", "--run-dir", str(self.folder / "new"))
        self.assertEqual(result.returncode, 2)
        self.assertFalse((self.folder / "new").exists())

    def test_a_restart_that_fails_for_good(self):
        result, calls = self.train(5, "4 3")
        self.assertEqual(result.returncode, 3)
        self.assertEqual(len(calls), 2)
        last = result.stderr.splitlines()[-1]
        self.assertIn("exit code 3", last)
        self.assertIn("failure 1", last)

    @unittest.skipUnless(os.access("/dev/shm", os.W_OK), "there is no /dev/shm")
    def test_shared_memory_of_killed_ranks_is_removed(self):
        (self.folder / "program").write_text("#!/bin/sh" + ANSWER_NEEDS + """
            folder=$OMPI_MCA_btl_vader_backing_directory
            touch $folder/segment; ls $folder/* >>$CALLS; kill -KILL $$\n""")
        _, files = self.train(1, "")
        self.assertEqual(len(set(files)), 2, files)  # one a start
        for file in files:
            self.assertRegex(file, "^/dev/shm/.*/segment$")
            self.assertFalse(Path(file).parent.exists())

    def test_zero_restarts_leave_the_command_as_it_is(self):
        result, calls = self.train(0, "4")
        self.assertEqual(result.returncode, 4)
        self.assertEqual(len(calls), 1)
        self.assertNotIn("--run-dir", calls[0])

    def test_other_commands_have_no_restarts(self):
        result = self.launch("evaluate", "--max-restarts", "2", CALLS=str(self.log), STATUSES="0")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("--max-restarts 2", self.log.read_text())

    def start(self, ranks, on_usr1, *words, first=""):
        """Starts a training whose program waits for USR1, after what it does `first`."""
        (self.folder / "program").write_text("#!/bin/sh" + ANSWER_NEEDS + f"""
            trap '{on_usr1}' USR1; echo "$*" >>$CALLS
            {first}
            echo ready
            i=0; while [ $i -lt 12000 ]; do sleep 0.05; i=$((i + 1)); done; exit 4""")
        self.tool("mpirun", """
            while [ "${1##*/}" != lockstep ]; do shift; done
            exec "$@" """)
        process = subprocess.Popen(
            [sys.executable, self.project / "launcher" / "lockstep", "train", "x.textproto",
             "-np", str(ranks), "--max-restarts", "3", *words],
            env=self.environment(CALLS=str(self.log)), cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
            # The tests may run under nohup.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def test_no_restart_for_whoever_asked_for_the_end(self):
        for ranks in (1, 2):
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                with self.subTest(number.name, ranks=ranks):
                    self.log.unlink(missing_ok=True)
                    process = self.start(ranks, "exit 75")
                    os.killpg(process.pid, number)
                    self.assertEqual(process.wait(timeout=200), 75)
                    self.assertEqual(len(self.log.read_text().splitlines()), 1)

    def test_a_run_that_is_cancelled_does_not_start_again(self):
        run = self.folder / "run"
        run.mkdir()
        (run / "cancelled").touch()  # by an earlier one, of no account
        begin = (f"exec 9>{run}/lock; flock 9; "
                 f"echo '{{\"state\": \"running\", \"pid\": '$$'}}' >{run}/status.json")
        for ranks in (1, 2):
            with self.subTest(ranks=ranks):
                self.log.unlink(missing_ok=True)
                process = self.start(ranks, "exit 75", "--run-dir", str(run), first=begin)
                cancelled = self.launch("cancel", str(run))
                self.assertEqual(cancelled.returncode, 0, cancelled.stderr)
                self.assertEqual(process.wait(timeout=200), 75)
                self.assertEqual(len(self.log.read_text().splitlines()), 1)
                self.assertEqual(sorted(os.listdir(run)), ["lock", "status.json"])

    def test_cancelled_between_two_starts(self):
        run = self.folder / "run"
        run.mkdir()
        (run / "cancelled").touch()
        cancel = self.project / "launcher" / "lockstep"
        (self.folder / "program").write_text(f"""#!/bin/sh
            echo "$*" >>$CALLS; [ $(wc -l <$CALLS) = 2 ] || exit 4
            echo '{{"state": "running"}}' >{run}/status.json; {sys.executable} {cancel} cancel {run}
            exit 4""")
        result, calls = self.train(9, "", "--run-dir", str(run), ranks=1)
        self.assertEqual((result.returncode, len(calls)), (4, 2), result.stderr)
        self.assertEqual(os.listdir(run), ["status.json"])

    def test_cancelled_before_the_program_can_be_asked(self):
        run = self.folder / "run"
        run.mkdir()
        process = self.start(1, "exit 75", "--run-dir", str(run))
        (run / "cancelled").touch()  # as `cancel` does, which sees no process here
        self.assertEqual(process.wait(timeout=200), 75)
        self.assertEqual(len(self.log.read_text().splitlines()), 1)

    def test_the_second_ctrl_c_ends_the_program(self):
        for ranks in (1, 2):
            with self.subTest(ranks=ranks):
                process = self.start(ranks, "echo USR1")
                process.send_signal(signal.SIGINT)
                self.assertEqual(process.stdout.readline(), "USR1\n")
                process.send_signal(signal.SIGINT)
                self.assertEqual(process.wait(timeout=200), 128 + signal.SIGINT)


if __name__ == "__main__":
    unittest.main()
