"""The launcher: command lines, and whole runs with stand-ins for the outside tools."""

import contextlib
import io
import os
import re
import runpy
import signal
import subprocess
import sys
import tempfile
import types
import unittest
import unittest.mock
import zipfile
from pathlib import Path

from fake_project import ROOT, FakeProjectTest

sys.path.insert(0, str(ROOT / "launcher"))

import dependencies  # noqa: E402
import job  # noqa: E402
import probe  # noqa: E402
from console import CommandError  # noqa: E402


def machine(cores, physical=None, root=False):
    return job.Machine(cores, cores if physical is None else physical, root)


class ShapeTest(unittest.TestCase):
    """Ranks and threads."""

    def shape(self, most, cores, ranks=None, threads=None):
        chosen = job.choose_shape(lambda: most, ranks, threads, machine(cores))
        return chosen.ranks, chosen.threads

    def test_a_rank_a_core_up_to_the_lanes(self):
        self.assertEqual(self.shape(6, 2), (2, 1))
        self.assertEqual(self.shape(6, 6), (6, 1))
        self.assertEqual(self.shape(6, 13), (6, 2))

    def test_what_the_user_says_wins(self):
        self.assertEqual(self.shape(4, 2, ranks=3), (3, 1))
        self.assertEqual(self.shape(4, 16, ranks=3), (3, 5))
        self.assertEqual(self.shape(4, 16, threads=8), (2, 8))
        self.assertEqual(self.shape(4, 2, threads=8), (1, 8))
        self.assertEqual(self.shape(4, 2, ranks=4, threads=3), (4, 3))

    def test_nothing_is_asked_where_the_user_says(self):
        shape = job.choose_shape(lambda: self.fail("asked"), 3, None, machine(6))
        self.assertEqual(shape, job.Shape(3, 2))

    def test_quota_of_the_control_group(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.assertGreater(probe.quota(self.folder), 4096)
        (self.folder / "cpu").mkdir()
        (self.folder / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
        (self.folder / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
        self.assertGreater(probe.quota(self.folder), 4096)
        (self.folder / "cpu" / "cpu.cfs_quota_us").write_text("350000\n")
        self.assertEqual(probe.quota(self.folder), 3)
        (self.folder / "cpu.max").write_text("max 100000\n")
        self.assertGreater(probe.quota(self.folder), 4096)
        (self.folder / "cpu.max").write_text("50000 100000\n")
        self.assertEqual(probe.quota(self.folder), 1)


class RunTestsTest(FakeProjectTest):
    """The command `test`, of a project that is built."""

    def test_signals_ignored_behind_an_ampersand_reach_the_tests(self):
        self.tool("ctest", f"exec cat /proc/self/status >{self.folder}/status")
        launcher = runpy.run_path(str(ROOT / "launcher" / "lockstep"), run_name="launcher")
        project = types.SimpleNamespace(prepare_tests=lambda: None, build=self.folder)
        signals = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
        before = [signal.signal(number, signal.SIG_IGN) for number in signals]
        try:
            with unittest.mock.patch.dict(os.environ, self.environment()):
                self.assertEqual(launcher["run_tests"](project, []), 0)
        finally:
            for number, handler in zip(signals, before):
                signal.signal(number, handler)
        status = (self.folder / "status").read_text()
        ignored = int(re.search(r"^SigIgn:\s*(\w+)$", status, re.MULTILINE)[1], 16)
        self.assertEqual([number for number in signals if ignored >> number - 1 & 1], [])


class CommandLineTest(unittest.TestCase):
    """The words that start a job."""

    def words(self, ranks, threads, on):
        binary = Path("/b/lockstep")
        return job.command_line(binary, "train", ["x"], job.Shape(ranks, threads), on)

    def binding(self, ranks, threads, on):
        words = self.words(ranks, threads, on)
        return words[words.index("--bind-to") + 1], "--oversubscribe" in words

    def test_one_rank_needs_no_mpirun(self):
        self.assertEqual(
            self.words(1, 4, machine(4)), ["/b/lockstep", "train", "--threads", "4", "x"]
        )

    def test_the_program_comes_last(self):
        words = self.words(3, 1, machine(4))
        self.assertEqual(words[:3], ["mpirun", "-np", "3"])
        self.assertEqual(words[-5:], ["/b/lockstep", "train", "--threads", "1", "x"])

    def test_binds_only_a_job_that_fills_the_machine(self):
        self.assertEqual(self.binding(4, 1, machine(4)), ("core", False))
        self.assertEqual(self.binding(3, 1, machine(4)), ("none", False))
        self.assertEqual(self.binding(2, 2, machine(4)), ("none", False))

    def test_more_ranks_than_physical_cores(self):
        self.assertEqual(self.binding(3, 1, machine(2)), ("none", True))
        self.assertEqual(self.binding(4, 1, machine(4, physical=2)), ("none", True))

    def test_environment(self):
        plain = job.environment(Path("/p"), machine(2))
        self.assertEqual(plain["LOCKSTEP_ROOT"], "/p")
        root = job.environment(Path("/p"), machine(2, root=True))
        self.assertEqual(root["OMPI_ALLOW_RUN_AS_ROOT"], "1")
        self.assertEqual(root["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"], "1")


class DependenciesTest(unittest.TestCase):
    """The list, and what is taken from a wheel."""

    def test_every_wheel_has_an_exact_version(self):
        wheels = dependencies.read_list()["wheels"]
        for name in wheels["cpu"]["names"] + wheels["cuda"]["names"]:
            self.assertRegex(name, r"^[a-z0-9-]+==[0-9.]+$")
        self.assertLessEqual(set(wheels["cpu"]["names"]), set(wheels["cuda"]["names"]))

    def test_files_taken_from_a_wheel(self):
        names = [
            "torch/include/ATen/ATen.h", "torch/lib/libtorch_cpu.so", "torch/lib/libc10.so",
            "torch/lib/libgomp.so.1", "torch/lib/libtorch_cuda.so", "torch/lib/libc10_cuda.so",
            "torch/lib/libtorch_python.so", "torch/nn/functional.py", "torch/bin/protoc",
            "nvidia/cu13/lib/libcudart.so.13", "nvidia/cu13/lib/libcupti.so.13",
            "nvidia/cu13/include/cuda.h", "nvidia/cu13/include/crt/host_defines.h",
            "nvidia/cu13/include/cupti.h", "torchgen/model.py",
        ]
        everywhere = {
            "include/ATen/ATen.h", "lib/libtorch_cpu.so", "lib/libc10.so", "lib/libgomp.so.1",
            "cu13/lib/libcudart.so.13", "cu13/lib/libcupti.so.13",
            "cu13/include/cuda.h", "cu13/include/crt/host_defines.h",
        }
        for kind, more in (
            ("cpu", set()),
            ("cuda", {"lib/libtorch_cuda.so", "lib/libc10_cuda.so", "cu13/include/cupti.h"}),
        ):
            with self.subTest(kind), tempfile.TemporaryDirectory() as folder:
                with zipfile.ZipFile(Path(folder, "a.whl"), "w") as wheel:
                    for name in names:
                        wheel.writestr(name, name)
                files = Path(folder, "files")
                wheels = dependencies.read_list()["wheels"]
                with contextlib.redirect_stderr(io.StringIO()):
                    dependencies._unpack(wheels, kind, Path(folder), files)
                found = {
                    str(path.relative_to(files)).split("/", 1)[1]
                    for path in files.rglob("*") if path.is_file()
                }
                self.assertEqual(found, everywhere | more)

    def test_the_reason_of_a_failure_is_its_last_error_line(self):
        error = CommandError("ERROR: first\nE: second\nnote\n")
        self.assertEqual(error.reason(), "E: second")
        self.assertEqual(CommandError("a\nb\n\n").reason(), "b")


class RunTest(FakeProjectTest):
    """The launcher as a user starts it."""

    def ninja_calls(self):
        log = self.folder / "ninja.log"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def test_runs_in_the_users_folder_with_the_users_words(self):
        result = self.launch("train", "my x.textproto", "-np", "2", "--set", "seed=3")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(
            result.stdout,
            rf"^program train --threads \d+ my x.textproto --set seed=3 in {self.folder}, "
            rf"root {self.project}\n$",
        )

    def test_one_rank_and_commands_without_ranks_start_no_mpirun(self):
        self.tool("mpirun", "exit 9")
        self.assertEqual(self.launch("train", "x", "-np", "1").returncode, 0)
        result = self.launch("inspect", "--threads", "2", "x")
        self.assertEqual(result.returncode, 0)
        self.assertIn("program inspect --threads 2 x in", result.stdout)
        self.assertEqual(self.launch("train", "x", "-np", "2").returncode, 9)

    def test_serve_builds_and_starts_the_server(self):
        (self.tools / "ninja").write_text(f"""#!/bin/sh
            for target in "$@"; do :; done
            cp {self.folder}/program {self.project}/build/$target
            chmod 755 {self.project}/build/$target\n""")
        result = self.launch("serve", "--threads", "2", "x", FAKE_STATUS="3")
        self.assertEqual(result.returncode, 3)
        self.assertIn(f"program --threads 2 x in {self.folder}, root {self.project}",
                      result.stdout)
        self.assertFalse((self.project / "build" / "lockstep").exists())

    def test_exit_codes_pass_through(self):
        for status in (0, 1, 2, 3, 4, 75):
            for ranks in ("1", "2"):
                with self.subTest(status=status, ranks=ranks):
                    result = self.launch("train", "-np", ranks, FAKE_STATUS=str(status))
                    self.assertEqual(result.returncode, status)

    def test_a_killed_rank_is_a_failed_peer(self):
        for ranks in ("1", "2"):
            with self.subTest(ranks=ranks):
                result = self.launch("train", "-np", ranks, FAKE_STATUS="137")
                self.assertEqual(result.returncode, 4)
                self.assertTrue(result.stderr.splitlines()[-1].startswith("lockstep: "))
                self.assertIn("SIGKILL", result.stderr.splitlines()[-1])

    def test_builds_once_and_again_after_a_change(self):
        self.assertIn("built", self.launch("build").stderr)
        result = self.launch("build")
        self.assertEqual(result.stderr, "build/lockstep: up to date\n")
        self.assertEqual(self.ninja_calls(), 1)
        (self.project / "src" / "new.cpp").write_text("")
        self.assertIn("built", self.launch("build").stderr)
        (self.project / "src" / "new.cpp").unlink()
        self.assertIn("built", self.launch("build").stderr)
        self.assertEqual(self.ninja_calls(), 3)

    def test_a_failed_build_shows_the_compilers_words(self):
        result = self.launch("train", FAKE_NINJA="fail")
        self.assertEqual(result.returncode, 1)
        self.assertIn("x.cpp:1: error: no such type\n", result.stderr)
        self.assertTrue(result.stderr.splitlines()[-1].startswith("lockstep: the build failed"))
        self.assertEqual(result.stdout, "")

    def test_the_users_own_torch(self):
        other = self.folder / "other"
        result = self.launch("build", LOCKSTEP_TORCH=str(other))
        self.assertEqual(result.returncode, 2)
        self.assertEqual(len(result.stderr.splitlines()), 1)
        (other / "lib").mkdir(parents=True)
        (other / "lib" / "libtorch_cpu.so").write_text("")
        self.assertEqual(self.launch("build", LOCKSTEP_TORCH=str(other)).returncode, 0)
        cache = (self.project / "build" / "CMakeCache.txt").read_text()
        self.assertIn(f"LOCKSTEP_TORCH:PATH={other}\n", cache)

    def test_missing_packages_without_the_right_to_install(self):
        self.tool("dpkg-query", "echo installed cmake")
        self.tool("sudo", "exit 1")
        self.tool("apt-get", f"touch {self.folder}/touched")
        # As a user who is not root, whoever runs this test.
        script = (
            "import os, runpy, sys; os.geteuid = lambda: 1000; sys.argv = ['lockstep', 'build'];"
            f"sys.path.insert(0, '{self.project}/launcher');"
            f"runpy.run_path('{self.project}/launcher/lockstep', run_name='__main__')"
        )
        result = subprocess.run(
            [sys.executable, "-c", script], env=self.environment(), capture_output=True, text=True,
            check=False,
        )
        self.assertEqual(result.returncode, 1)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assertRegex(result.stderr, r"^lockstep: .* sudo apt-get install .*\bninja-build\b")
        self.assertNotIn(" cmake", result.stderr)
        self.assertFalse((self.folder / "touched").exists())

    def test_a_failed_fetch_is_one_line_and_leaves_nothing(self):
        (self.project / ".deps" / "torch").unlink()
        result = self.launch("build", PIP_NO_INDEX="1", PIP_FIND_LINKS=str(self.tools))
        self.assertEqual(result.returncode, 1)
        last = result.stderr.splitlines()[-1]
        self.assertRegex(last, r"^lockstep: pip could not fetch LibTorch [0-9.]+: ERROR: ")
        self.assertNotIn("Traceback", result.stderr)
        self.assertEqual([path.name for path in (self.project / ".deps").iterdir()], ["lock"])

    def test_failed_python_packages_are_one_line_and_tried_again(self):
        for _ in range(2):
            result = self.launch("install", "test", PIP_NO_INDEX="1")
            self.assertEqual(result.returncode, 1)
            last = result.stderr.splitlines()[-1]
            self.assertRegex(last, r"^lockstep: could not make .*/test-venv: ERROR: ")
            self.assertNotIn("Traceback", result.stderr)

    def test_usage_errors_are_one_line(self):
        for words in (["tarin"], ["sweep"], ["train", "-np", "x"],
                      ["train", "-np"], ["train", "-np=0"], ["train", "--max-restarts"],
                      ["train", "--max-restarts", "-1"], ["build", "all"],
                      ["install", "nonsense"]):
            with self.subTest(words):
                result = self.launch(*words)
                self.assertEqual(result.returncode, 2)
                self.assertEqual(len(result.stderr.splitlines()), 1)
                self.assertTrue(result.stderr.startswith("lockstep: "))
        self.assertIn("'train'", self.launch("tarin").stderr)

    def test_help_installs_and_builds_nothing(self):
        result = self.launch("train", "--help")
        self.assertEqual(result.returncode, 0)
        self.assertIn("-np N", result.stdout)
        self.assertEqual(self.ninja_calls(), 0)

    def start_job(self, on_usr1):
        """Starts the launcher with an mpirun that says what it receives."""
        self.tool("mpirun", f"""
            trap '{on_usr1}' USR1
            trap 'echo TERM >{self.folder}/end; echo TERM; exit 1' TERM; trap 'echo INT' INT
            echo ready; i=0; while [ $i -lt 12000 ]; do sleep 0.05; i=$((i + 1)); done; exit 99""")
        process = subprocess.Popen(
            [sys.executable, self.project / "launcher" / "lockstep", "train", "-np", "2"],
            env=self.environment(), cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def test_the_first_signal_asks_the_ranks_to_save(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
            with self.subTest(number.name):
                process = self.start_job("echo USR1; exit 75")
                os.killpg(process.pid, number)  # as a terminal does for Ctrl-C
                self.assertEqual(process.stdout.read(), "USR1\n")
                self.assertEqual(process.wait(timeout=200), 75)

    def test_the_second_ctrl_c_stops_the_job(self):
        process = self.start_job("echo USR1")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.stdout.readline(), "USR1\n")
        process.send_signal(signal.SIGINT)
        self.assertTrue(process.stdout.read().endswith("TERM\n"))  # USR1 may have been repeated
        self.assertEqual(process.wait(timeout=200), 128 + signal.SIGINT)

    def test_ranks_that_a_signal_ends_give_the_shells_status_for_it(self):
        process = self.start_job("kill -KILL $$")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=200), 128 + signal.SIGTERM)

    def test_a_killed_launcher_takes_the_job_along(self):
        os.mkfifo(self.folder / "end")
        process = self.start_job("echo USR1")
        process.kill()
        self.assertEqual((self.folder / "end").read_text(), "TERM\n")

    def test_a_request_is_made_again_until_it_is_heard(self):
        # As an mpirun that has no ranks yet: it forgets the first one.
        process = self.start_job("heard=$((heard + 1)); echo USR1; [ $heard -lt 3 ] || exit 75")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.stdout.read(), "USR1\n" * 3)
        self.assertEqual(process.wait(timeout=200), 75)


if __name__ == "__main__":
    unittest.main()
