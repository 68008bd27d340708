"""What the launcher asks of Slurm, without one: time limits, allocations, and the batch
script's answer to how a training ends."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "launcher"))

import directives  # noqa: E402
import slurm  # noqa: E402
import slurm_command  # noqa: E402
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
        found = slurm.allocation({f"SLURM_{key}": value for key, value in variables.items()})
        self.assertEqual((found.nodes, found.shape, found.ranks_per_node),
                         (nodes, slurm.Shape(ranks, threads), ranks_per_node))

    def test_shapes(self):
        self.check(1, 1, 1, 1, JOB_ID="7")
        self.check(2, 4, 1, 2, JOB_ID="7", JOB_NUM_NODES="2", NTASKS_PER_NODE="2", NTASKS="4")
        self.check(3, 5, 8, 2, JOB_ID="7", JOB_NUM_NODES="3", NTASKS="5", CPUS_PER_TASK="8")
        # Nodes alone: a rank for each CPU, or for each that CPUS_PER_TASK asks for.
        self.check(2, 32, 1, 16, JOB_ID="7", JOB_NUM_NODES="2", JOB_CPUS_PER_NODE="16(x2)")
        self.check(2, 8, 4, 4, JOB_ID="7", JOB_NUM_NODES="2", JOB_CPUS_PER_NODE="16,20",
                   CPUS_PER_TASK="4")

    def test_nodes_that_differ(self):
        # All of them, where each but the last has the same.
        self.check(3, 18, 1, 8, JOB_ID="7", JOB_NUM_NODES="3", JOB_CPUS_PER_NODE="8(x2),2")
        self.check(2, 3, 1, 2, JOB_ID="7", JOB_NUM_NODES="2", NTASKS="3", TASKS_PER_NODE="2,1",
                   JOB_CPUS_PER_NODE="2")
        self.check(3, 4, 4, 2, JOB_ID="7", JOB_NUM_NODES="3", JOB_CPUS_PER_NODE="8(x2),2",
                   CPUS_PER_TASK="4")
        # Else as many on each, and it is said.
        for cores in ("2,8(x2)", "8,2,8", "8,4,2"):
            found = slurm.allocation({"SLURM_JOB_ID": "7", "SLURM_JOB_NUM_NODES": "3",
                                      "SLURM_JOB_CPUS_PER_NODE": cores})
            self.assertEqual((found.shape.ranks, found.ranks_per_node), (6, 2))
            self.assertIn("2 are used on each", found.unused)

    def test_numbers_that_are_none(self):
        for name, text in (("CPUS_PER_TASK", "x"), ("CPUS_PER_TASK", "0"), ("CPUS_PER_TASK", "-1"),
                           ("JOB_NUM_NODES", "1e3"), ("JOB_NUM_NODES", "9" * 9),
                           ("NTASKS", "2.5"), ("NTASKS_PER_NODE", "two"), ("STEP_ID", "x"),
                           ("JOB_CPUS_PER_NODE", "8(x2"), ("JOB_CPUS_PER_NODE", "8,8"),
                           ("JOB_CPUS_PER_NODE", "8(x999999)")):
            with self.subTest(name=name, text=text), self.assertRaises(LauncherError) as caught:
                slurm.allocation({"SLURM_JOB_ID": "7", f"SLURM_{name}": text})
            self.assertEqual(caught.exception.status, 2)
            self.assertIn(f"SLURM_{name} is '{text}' in the environment", str(caught.exception))
        # An empty one is none.
        self.check(1, 1, 1, 1, JOB_ID="7", CPUS_PER_TASK="", NTASKS="", JOB_NUM_NODES="")

    def test_what_a_task_of_srun_is_told(self):
        step = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "1"}
        for variables, expected in ((step, ""), (step | {"SLURM_JOB_NUM_NODES": "2"},
                                                 "on one of the job's 2 nodes"),
                                    ({"PMI_SIZE": "1", "OMPI_COMM_WORLD_SIZE": "1"}, "")):
            self.assertIn(expected, slurm.said_of_task(variables))
            self.assertEqual(bool(slurm.said_of_task(variables)), bool(expected))
        for variables in (step | {"SLURM_STEP_NUM_TASKS": "2"}, {"PMI_SIZE": "2"},
                          {"OMPI_COMM_WORLD_SIZE": "2"}):
            with self.assertRaisesRegex(LauncherError, "as 1 of 2 tasks"):
                slurm.said_of_task(variables)

    def test_none_outside_of_a_job_and_in_a_task_of_srun(self):
        self.assertIsNone(slurm.allocation({}))
        self.assertIsNone(slurm.allocation({"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0"}))
        # salloc may run its shell as a step of a number of its own.
        self.check(1, 1, 1, 1, JOB_ID="7", STEP_ID="4294967290")


class DirectiveTest(unittest.TestCase):
    """Lines as sbatch reads them; tests/cluster gives some to a real one."""

    def test_quotes(self):
        for value, line in (("plain-1", "plain-1"), ("a b", '"a b"'), ("a'b", '"a\'b"'),
                            ('a"b', '"a\\"b"'), ("a#b", '"a#b"'), ("a\\b", '"a\\\\b"'),
                            ("", '""'), ("é", '"é"')):
            self.assertEqual(directives.directive("x", value), f"#SBATCH --x={line}")
        self.assertEqual(directives.path_directive("output", "/a b/50%/run%j/slurm-%a.log", "%a"),
                         '#SBATCH --output="/a b/50%%/run%%j/slurm-%a.log"')
        self.assertEqual(directives.path_directive("output", "/run%a/slurm.log"),
                         "#SBATCH --output=/run%%a/slurm.log")

    def test_options_as_they_are(self):
        for words, line in (("--account=x", "--account=x"), ("--exclusive", "--exclusive"),
                            ("--comment=a b", '--comment="a b"'), ("--account x", "--account x"),
                            ("-A x y", '-A "x y"'), ("-Ax", "-A x"), ("-H", "-H"),
                            ("--export=ALL,A=b c", '--export="ALL,A=b c"')):
            self.assertEqual(directives.own_directive(words), f"#SBATCH {line}")

    def test_what_no_line_can_hold(self):
        for make in (lambda: directives.own_directive("account"),
                     lambda: directives.own_directive(""),
                     lambda: directives.directive("x", "a\nb"),
                     lambda: directives.path_directive("output", "/a\\b")):
            with self.assertRaises(LauncherError) as caught:
                make()
            self.assertEqual(caught.exception.status, 2)


class RequestTest(unittest.TestCase):
    def test_nodes_and_gpus(self):
        for words in (["--nodes", "4-1"], ["--nodes", "x"], ["--gpus-per-node", "a100:"],
                      ["--gpus-per-node", "a 100:4"], ["--gpus-per-node", "4,"]):
            with self.subTest(words=words), self.assertRaises(LauncherError):
                slurm_command.parse_request(words)
        for gpus in ("4", "a100:4", "a100:2,v100:1"):
            request, _, _ = slurm_command.parse_request(["--gpus-per-node", gpus, "--nodes=4-4"])
            script = slurm.batch_script(request, "", Path("log"), "c", {})
            self.assertIn(f"#SBATCH --gpus-per-node={gpus}\n", script)
        request, _, _ = slurm_command.parse_request(["--gpus-per-node", "0"])
        self.assertNotIn("gpus", slurm.batch_script(request, "", Path("log"), "c", {}))


class ScriptTest(unittest.TestCase):
    """The script runs here, with a stand-in for scontrol."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        scontrol = self.folder / "scontrol"
        scontrol.write_text(f"""#!/bin/sh
[ "$1" = show ] && {{ echo "JobId=$3 JobState=${{FAKE_STATE:-RUNNING}} Reason=None"; exit; }}
echo "$*" >>{self.folder}/calls\n""")
        scontrol.chmod(0o755)

    def run_script(self, program, **variables):
        """The script's exit status, and what it asked of scontrol."""
        script = slurm.batch_script(
            slurm.Request(max_restarts=3), f"words=(sh -c '{program}')", self.folder / "log",
            str(self.folder / "slurm.cancelled"), {"A": "a b"})
        calls = self.folder / "calls"
        calls.unlink(missing_ok=True)
        env = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}", "SLURM_JOB_ID": "12",
               **variables}
        done = subprocess.run(["bash", "-c", script], env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=400, check=False)
        return done.returncode, calls.read_text() if calls.exists() else ""

    def test_what_goes_back_to_the_queue(self):
        again = "requeue 12\n"
        for status, calls in ((0, ""), (1, ""), (2, ""), (3, ""), (4, again), (75, again),
                              (127, ""), (128, again), (134, again), (137, again), (205, again)):
            with self.subTest(status=status):
                self.assertEqual(self.run_script(f"exit {status}"), (status, calls))
                (self.folder / "slurm.lost").unlink(missing_ok=True)

    def test_failures_are_counted_and_saves_are_not(self):
        for _ in range(20):
            self.assertEqual(self.run_script("exit 75"), (75, "requeue 12\n"))
        for status in (4, 137, 4):
            self.assertEqual(self.run_script(f"exit {status}"), (status, "requeue 12\n"))
        self.assertEqual(self.run_script("exit 4"), (4, ""))
        other = {"SLURM_ARRAY_JOB_ID": "9", "SLURM_ARRAY_TASK_ID": "3"}
        self.assertEqual(self.run_script("exit 4", **other), (4, "requeue 9_3\n"))

    def test_cancelled(self):
        (self.folder / "slurm.cancelled").touch()
        self.assertEqual(self.run_script("exit 75"), (75, ""))

    def test_ended_by_scancel(self):
        self.assertEqual(self.run_script("exit 75", FAKE_STATE="CANCELLED"), (75, ""))

    def test_task_of_an_array(self):
        got = self.run_script("exit 75", SLURM_ARRAY_JOB_ID="9", SLURM_ARRAY_TASK_ID="3")
        self.assertEqual(got, (75, "requeue 9_3\n"))

    def test_signal_is_passed_on_and_the_end_awaited(self):
        for name in ("USR1", "TERM"):  # TERM alone is what a job gets that must make room
            with self.subTest(name=name):
                program = ('trap "sleep 0.3; exit 75" USR1; '
                           f"kill -{name} $PPID; while :; do sleep 0.05; done")
                self.assertEqual(self.run_script(program), (75, "requeue 12\n"))

    def test_environment(self):
        self.assertEqual(self.run_script('[ "$A" = "a b" ] || exit 9')[0], 0)


if __name__ == "__main__":
    unittest.main()
