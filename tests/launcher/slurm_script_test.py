"""What the launcher asks of Slurm, without one: time limits, allocations, and the batch
script's answer to how a training ends."""

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

from fake_project import ROOT, FakeProjectTest

sys.path.insert(0, str(ROOT / "launcher"))

import running  # noqa: E402
import allocations  # noqa: E402
import slurm  # noqa: E402
from binding import Cpus  # noqa: E402
from console import LauncherError  # noqa: E402


class LimitTest(unittest.TestCase):
    def test_every_form(self):
        cases = {"": 0, "1": 60, "90": 5400, "1:30": 90, "2:00:00": 7200, "1-0": 86400,
                 "1-2": 93600, "1-2:30": 95400, "1-2:30:15": 95415, "0:10": 10}
        for text, seconds in cases.items():
            self.assertEqual(slurm.limit_seconds(text), seconds, text)
        for text in ("soon", "1h", "1:2:3:4", "-1", "1-", ":5"):
            with self.assertRaises(LauncherError, msg=text):
                slurm.limit_seconds(text)

    def test_signal_leaves_two_thirds_of_a_short_limit(self):
        for text, seconds in (("", 180), ("1", 20), ("8", 160), ("9", 180), ("1-0", 180)):
            self.assertEqual(slurm.signal_seconds(text), seconds, text)


class AllocationTest(unittest.TestCase):
    def check(self, nodes, ranks, threads, ranks_per_node, **variables):
        found = allocations.allocation({f"SLURM_{key}": value for key, value in variables.items()})
        self.assertEqual(found, allocations.Allocation("Slurm job 7", threads, [ranks_per_node] * nodes))
        self.assertEqual(found.ranks, ranks)

    def test_uneven_nodes(self):
        job = {"SLURM_JOB_ID": "7", "SLURM_JOB_NUM_NODES": "3",
               "SLURM_JOB_CPUS_PER_NODE": "8(x2),2"}
        self.assertEqual(allocations.allocation(job), allocations.Allocation("Slurm job 7", 1, [8, 8, 2]))
        tasks = job | {"SLURM_NTASKS": "5", "SLURM_TASKS_PER_NODE": "2(x2),1"}
        around = allocations.allocation(tasks)
        self.assertEqual(around, allocations.Allocation("Slurm job 7", 1, [2, 2, 1]))
        with unittest.mock.patch.object(slurm, "cpus_here", lambda: Cpus(2, 2, True)):
            words = slurm.slurm_words(around, 5, 1, {"SLURMD_NODENAME": "n1"})
        self.assertIn("slot:PE=1", words)

    def test_variables_that_are_no_numbers(self):
        self.check(1, 1, 1, 1, JOB_ID="7", CPUS_PER_TASK="")
        for name, value in (("CPUS_PER_TASK", "two"), ("JOB_NUM_NODES", "1.5"), ("NTASKS", "-3"),
                            ("JOB_CPUS_PER_NODE", "8(x"), ("NTASKS_PER_NODE", "1 2")):
            with self.subTest(name), self.assertRaises(LauncherError) as raised:
                allocations.allocation({"SLURM_JOB_ID": "7", f"SLURM_{name}": value})
            self.assertIn(f"SLURM_{name} is {value!r}", str(raised.exception))

    def test_shapes(self):
        self.check(1, 1, 1, 1, JOB_ID="7")
        self.check(2, 4, 1, 2, JOB_ID="7", JOB_NUM_NODES="2", NTASKS_PER_NODE="2", NTASKS="4")
        self.check(3, 6, 8, 2, JOB_ID="7", JOB_NUM_NODES="3", NTASKS="5", CPUS_PER_TASK="8")
        # Nodes alone: a rank for each CPU, or for each that CPUS_PER_TASK asks for.
        self.check(2, 32, 1, 16, JOB_ID="7", JOB_NUM_NODES="2", JOB_CPUS_PER_NODE="16(x2)")
        self.check(2, 8, 4, 4, JOB_ID="7", JOB_NUM_NODES="2", JOB_CPUS_PER_NODE="16,19",
                   CPUS_PER_TASK="4")

    def test_none_outside_of_a_job_and_in_a_task_of_srun(self):
        self.assertIsNone(allocations.allocation({}))
        self.assertIsNone(allocations.allocation({"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0"}))
        # salloc may run its shell as a step of a number of its own.
        self.check(1, 1, 1, 1, JOB_ID="7", STEP_ID="4294967290")


    def test_one_task_of_several_nodes_says_that_it_is_alone(self):
        task = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_JOB_NUM_NODES": "2"}
        pty = {"SLURM_PTY_PORT": "3000", "SLURM_PROCID": "0"}
        for tasks, more, lines in (("1", {}, 1), ("1", pty, 1), ("2", pty, 1), ("2", {}, 0),
                                   ("2", pty | {"SLURM_JOB_NUM_NODES": "1"}, 0)):
            with self.subTest(tasks=tasks, more=more), \
                    contextlib.redirect_stderr(io.StringIO()) as said:
                self.assertIsNone(allocations.allocation(
                    task | {"SLURM_STEP_NUM_TASKS": tasks} | more))
                self.assertEqual(said.getvalue().count(
                    "lockstep: this is one task of a Slurm job of 2 nodes: "), lines)


class DirectiveTest(FakeProjectTest):
    """The options of sbatch, as `slurm --print` shows them."""

    def print_script(self, *words):
        return self.launch("slurm", "x.textproto", "--print", *words)

    def test_an_option_is_split_as_by_a_shell(self):
        for text, line in (("-A x", "-A x"), ("--account=x", "--account=x"),
                           ("-A 'a b' --nice", '-A "a b" --nice'),
                           (r"""--comment="a \"b\" 'c'" """, r'''"--comment=a \"b\" 'c'"'''),
                           (r"--comment=a\\b", r'"--comment=a\\b"')):
            for words in (("--sbatch", text), (f"--sbatch={text}",)):
                with self.subTest(words):
                    done = self.print_script(*words)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertIn(f"#SBATCH {line}\n", done.stdout)

    def test_gpus_of_a_type(self):
        for text in ("2", "a100:4", "nvidia_h100.80gb:1"):
            with self.subTest(text):
                done = self.print_script("--gpus-per-node", text)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(f"#SBATCH --gpus-per-node={text}\n", done.stdout)
        for text in ("a100", "a100:", "a100:0", "0", "-1", ":4", "4:a100", "a 100:4", "a:b:4"):
            with self.subTest(text):
                done = self.print_script("--gpus-per-node", text)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertEqual(done.stderr, f"lockstep: --gpus-per-node is {text!r}: expected a "
                                 "number, or a type and a number as in a100:4\n")

    def test_options_that_cannot_be_split(self):
        for text in ("--comment='a", "-A x\\", "", "  "):
            with self.subTest(text):
                done = self.print_script("--sbatch", text)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertRegex(done.stderr, r"\Alockstep: --sbatch is [^\n]*\n\Z")

    def test_percent_and_backslash_in_the_path_of_the_log(self):
        """A backslash takes the meaning from every %, and is itself taken away."""
        for folder, line in (("a%b", "/a%%b/slurm.log\n"), (r"a%\b", r'/a%\\\\b/slurm.log"')):
            done = self.print_script("--run-dir", f"/{folder}")
            self.assertRegex(done.stdout, f"#SBATCH \"?--output={re.escape(line)}")


class ScriptTest(unittest.TestCase):
    """The script runs here, with a stand-in for scontrol."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.stand_in("scontrol", f"""\
[ "$1" = show ] && {{ echo "JobId=$3 JobState=${{FAKE_STATE:-RUNNING Reason=None}}"; exit; }}
echo "$*" >>{self.folder}/calls""")
        self.stand_in("sleep", f"""\
[ "$1" != 1 ] || set -- 0.02  # the script's second takes less here
exec {shutil.which("sleep")} "$@\"""")
        self.path = f"{self.folder}:{os.environ['PATH']}"

    def stand_in(self, name, text):
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def output(self, program, **variables):
        """What the script says."""
        self.run_script(program, **variables)
        return self.said

    def run_script(self, program, start="sh", **variables):
        """The script's exit status, and what it asked of scontrol."""
        script = slurm.batch_script(
            slurm.Request(max_restarts=3), f"words=({start} -c '{program}')", self.folder / "log",
            str(self.folder / "slurm.cancelled"), {"A": "a b"})
        calls = self.folder / "calls"
        calls.unlink(missing_ok=True)
        env = {**os.environ, "PATH": self.path, "SLURM_JOB_ID": "12", **variables}
        done = subprocess.run([shutil.which("bash"), "-c", script], env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=400, check=False)
        self.said, self.complaints = done.stdout, done.stderr
        return done.returncode, calls.read_text() if calls.exists() else ""

    def test_what_goes_back_to_the_queue(self):
        again = "requeue 12\n"
        for status, calls in ((0, ""), (1, ""), (2, ""), (3, ""), (4, again), (75, again),
                              (127, ""), (128, again), (134, again), (137, again), (205, again)):
            with self.subTest(status=status):
                self.assertEqual(self.run_script(f"exit {status}"), (status, calls))
                (self.folder / "slurm.lost").unlink(missing_ok=True)

    def test_srun_that_ends_with_0_and_started_no_rank(self):
        """As where Slurm ended its step meanwhile."""
        self.stand_in("srun", 'exec sh "$@"')
        self.assertEqual(self.run_script("exit 0", start="srun"), (4, "requeue 12\n"))
        status = self.folder / "status.json"
        self.assertEqual(self.run_script(f"echo {{}} >{status}", start="srun"), (0, ""))
        self.assertEqual(self.run_script("exit 0", start="srun"), (4, "requeue 12\n"))
        self.assertEqual((self.folder / "slurm.lost").read_text(), "4\n4\n")
        self.assertEqual(self.run_script("exit 3", start="srun"), (3, ""))
        self.assertEqual(self.run_script("exit 0 # --dry-run ", start="srun"), (0, ""))

    def test_failures_are_counted_and_saves_are_not(self):
        for _ in range(20):
            self.assertEqual(self.run_script("exit 75"), (75, "requeue 12\n"))
        for status in (4, 137, 4):
            self.assertEqual(self.run_script(f"exit {status}"), (status, "requeue 12\n"))
        self.assertEqual(self.run_script("exit 4"), (4, ""))
        other = {"SLURM_ARRAY_JOB_ID": "9", "SLURM_ARRAY_TASK_ID": "3"}
        self.assertEqual(self.run_script("exit 4", **other), (4, "requeue 9_3\n"))

    def test_saved_on_request_is_no_loss_however_mpirun_ends(self):
        """TERM to all processes ends mpirun's daemons on other nodes, while the ranks save."""
        saved = self.folder / "saved"
        status = self.folder / "status.json"
        for number, ends_with in enumerate((205, 143, 137, 4)):
            saved.write_text(f'{{\n  "state": "saved",\n  "updated": "{number}"\n}}\n')
            with self.subTest(ends_with):
                self.assertEqual(self.run_script(f"cp {saved} {status}; exit {ends_with}"),
                                 (75, "requeue 12\n"))
        self.assertFalse((self.folder / "slurm.lost").exists())
        # By an earlier start, and by nobody.
        self.assertEqual(self.run_script("exit 205"), (205, "requeue 12\n"))
        saved.write_text('{\n  "state": "running"\n}\n')
        self.assertEqual(self.run_script(f"cp {saved} {status}; exit 205"), (205, "requeue 12\n"))
        self.assertEqual((self.folder / "slurm.lost").read_text(), "205\n205\n")

    def test_what_cannot_go_back_says_how_to_go_on(self):
        self.assertIn("goes back", self.output("exit 75"))
        (self.folder / "scontrol").write_text("#!/bin/sh\nexit 1\n")  # as it may be disabled
        hint = f"to go on, type: sbatch {self.folder}/slurm.sh\n"
        for _ in range(2):
            said = self.output("exit 75")
            self.assertIn(hint, said)
            self.assertNotIn("goes back", said)
            # Where there is none: nothing but what the script needs.
            (self.folder / "scontrol").unlink(missing_ok=True)
            for name in ("bash", "sh", "cat", "wc"):
                (self.folder / name).exists() or (self.folder / name).symlink_to(shutil.which(name))
            self.path = str(self.folder)
        self.assertIn("sbatch --array=3 ", self.output(
            "exit 75", SLURM_ARRAY_JOB_ID="9", SLURM_ARRAY_TASK_ID="3"))
        self.assertEqual(self.output("exit 3"), "")

    def test_the_last_loss_says_how_to_go_on(self):
        for _ in range(2):  # who types that has as many again
            for _ in range(3):
                self.assertIn("goes back", self.output("exit 205"))
            self.assertEqual(
                self.output("exit 205"), "lockstep: exit code 205; job 12 does not go back to the "
                f"queue (--max-restarts 3); to go on, type: sbatch {self.folder}/slurm.sh\n")

    def test_cancelled(self):
        (self.folder / "slurm.cancelled").touch()
        self.assertEqual(self.run_script("exit 75"), (75, ""))

    def test_ended_by_scancel(self):
        for state, calls in (("CANCELLED Reason=None", ""), ("COMPLETING Reason=None", ""),
                             ("COMPLETING Reason=TimeLimit", "requeue 12\n")):
            with self.subTest(state=state):
                self.assertEqual(self.run_script("exit 75", FAKE_STATE=state), (75, calls))

    def test_term_alone(self):
        """As where the job must make room: the ranks save, and mpirun may get it too."""
        for status, ends_with in ((75, 75), (1, 143), (0, 0), (2, 2), (3, 3)):
            program = (f'trap "exit {status}" USR1; kill -TERM $PPID; '
                       "while :; do sleep 0.05; done")
            calls = "requeue 12\n" if status in (75, 1) else ""
            for _ in range(5 if status == 1 else 1):  # more than a job may be lost
                with self.subTest(status=status):
                    self.assertEqual(self.run_script(program), (ends_with, calls))

    def test_a_job_that_makes_room_for_another_was_not_lost(self):
        """Its steps get TERM first, and the script nothing, where the nodes have a time of grace."""
        for _ in range(5):
            self.assertEqual(
                self.run_script("exit 205", FAKE_STATE="RUNNING PreemptTime=2026-11-30T18:03:27"),
                (205, "requeue 12\n"))
        self.assertEqual(self.run_script("exit 205", FAKE_STATE="RUNNING PreemptTime=None"),
                         (205, "requeue 12\n"))
        self.assertEqual((self.folder / "slurm.lost").read_text(), "205\n")

    def test_a_step_of_one_node_tells_that_its_grace_begins(self):
        """By ending of TERM; one that cannot be started tells nothing, which is said."""
        is_there = self.folder / "step"
        wait = f'trap "exit 75" USR1; while [ ! -e {is_there} ]; do sleep 0.05; done; '
        for ends_with, then, status in ((143, "while :; do sleep 0.05; done", 75), (2, "sleep 2", 0)):
            with self.subTest(ends_with):
                self.stand_in("srun", f'echo "$*" >{is_there}\nexit {ends_with}')
                self.assertEqual(self.run_script(wait + then, SLURM_JOB_NUM_NODES="1")[0], status)
                self.assertIn(" --export=ALL ", is_there.read_text())
                self.assertEqual(self.complaints.count("(srun: exit code 2)"), ends_with == 2)
                is_there.unlink()
        self.assertEqual(self.run_script("exit 0", SLURM_JOB_NUM_NODES="2")[0], 0)
        self.assertFalse(is_there.exists())

    def test_a_grace_that_began_before_the_step_did(self):
        """Slurm knows of it; where there is no step it is not asked."""
        self.stand_in("srun", "exec sleep 60")
        self.stand_in("scontrol", f'echo "$3" >>{self.folder}/shown; [ "$3" != 9_3 ] || '
                   "echo PreemptTime=2026-11-30T18:03:27")
        program = 'trap "exit 75" USR1; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2; done; exit 3'
        task = {"SLURM_ARRAY_JOB_ID": "9", "SLURM_ARRAY_TASK_ID": "3"}
        for nodes, more, status, shown in (("1", task, 75, "9_3"), ("1", {}, 3, "12"),
                                           ("2", task, 3, "")):
            with self.subTest(nodes=nodes, more=more):
                (self.folder / "shown").write_text("")
                self.assertEqual(
                    self.run_script(program, SLURM_JOB_NUM_NODES=nodes, **more)[0], status)
                self.assertEqual(set((self.folder / "shown").read_text().split()),
                                 {shown} - {""})

    def test_task_of_an_array(self):
        got = self.run_script("exit 75", SLURM_ARRAY_JOB_ID="9", SLURM_ARRAY_TASK_ID="3")
        self.assertEqual(got, (75, "requeue 9_3\n"))

    def test_signal_is_passed_on_and_the_end_awaited(self):
        program = ('trap "trap : USR1; sleep 0.3; exit 75" USR1; kill -USR1 $PPID; '
                   "while :; do sleep 0.05; done")
        self.assertEqual(self.run_script(program), (75, "requeue 12\n"))

    def test_mpirun_that_the_request_kills_was_not_lost(self):
        for number in range(5):
            with self.subTest(number):
                self.assertEqual(
                    self.run_script("kill -USR1 $PPID; while :; do sleep 0.05; done"),
                    (75, "requeue 12\n"))
        self.assertFalse((self.folder / "slurm.lost").exists())

    def test_no_clock_tells_whether_a_training_has_begun(self):
        plan = running.plan_restarts(
            ["x", "--run-dir", str(self.folder), "--resume", "never"], 1, Path("/p"), str)
        lines = slurm.train_commands(Path("/b/lockstep"), plan, slurm.Request())
        status = self.folder / "status.json"

        def resume():
            done = subprocess.run(["bash", "-c", f'{lines}\necho "${{words[-1]}}"'],
                                  capture_output=True, text=True, check=True)
            return done.stdout.strip()

        (self.folder / slurm.BEFORE_FILE).write_text("")
        self.assertEqual(resume(), "never")
        status.write_text("of an earlier one")
        (self.folder / slurm.BEFORE_FILE).write_text("of an earlier one")
        self.assertEqual(resume(), "never")
        status.write_text("of this one")
        os.utime(status, (0, 0))
        self.assertEqual(resume(), "auto")

    def test_environment(self):
        self.assertEqual(self.run_script('[ "$A" = "a b" ] || exit 9')[0], 0)


if __name__ == "__main__":
    unittest.main()
