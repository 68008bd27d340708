"""Hosts of a job: how they are named, placed and judged, and what mpirun says of them."""

import ast
import os
import socket
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from fake_project import ROOT, FakeProjectTest

sys.path.insert(0, str(ROOT / "launcher"))

import hosts  # noqa: E402
import preflight  # noqa: E402
import probe  # noqa: E402
from console import LauncherError  # noqa: E402
from experiment import Experiment  # noqa: E402
from mpirun_messages import MpirunMessages  # noqa: E402

NEEDS = preflight.Needs("/p/build/lockstep", ["/d/train.csv"], "/p", ["/p/models"])


def answer(**differing):
    """That of a host of 4 cores on which all is right."""
    return {
        "cores": 4, "physical_cores": 4, "gpus": 0, "networks": {}, "has_orted": True,
        "digest": "abc", "fault": "", "has_folder": True, "sizes": [1234], "unwritable": [],
        "clock_seconds": 0.0,
    } | differing


class NamesTest(unittest.TestCase):
    def test_hosts(self):
        self.assertEqual(hosts.parse_hosts("a:2,b-1.net:13"),
                         [hosts.Host("a", 2), hosts.Host("b-1.net", 13)])
        self.assertEqual(hosts.parse_hosts("a,b"), [hosts.Host("a"), hosts.Host("b")])
        self.assertEqual(hosts.parse_hosts("a:1,a:2"), [hosts.Host("a", 3)])

    def test_what_names_no_hosts(self):
        for text in ("", "a:", "a:0", "a:x", "a,,b", "-x", "a b", "a:2,b"):
            with self.subTest(text), self.assertRaises(LauncherError) as caught:
                hosts.parse_hosts(text)
            self.assertEqual(caught.exception.status, 2)

    def test_hostfile(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "hosts")
            path.write_text("# the rack\na slots=2\n\nb  slots = 3 max_slots=4 # new\n")
            self.assertEqual(hosts.read_hostfile(path), [hosts.Host("a", 2), hosts.Host("b", 3)])
            path.write_text("a\na\nb\nb\n")
            self.assertEqual(hosts.read_hostfile(path), [hosts.Host("a", 2), hosts.Host("b", 2)])
            for text in ("a slots=0\n", "a slot=2\n", "# none\n"):
                path.write_text(text)
                with self.subTest(text), self.assertRaises(LauncherError) as caught:
                    hosts.read_hostfile(path)
                self.assertIn(str(path), str(caught.exception))
            with self.assertRaises(LauncherError):
                hosts.read_hostfile(Path(folder, "absent"))

    def test_this_machine(self):
        self.assertTrue(hosts.is_here(socket.gethostname()))
        self.assertTrue(hosts.is_here("127.0.0.1"))
        self.assertFalse(hosts.is_here("192.0.2.77"))  # kept for documentation


class ProbeTest(unittest.TestCase):
    def test_an_old_python_will_do(self):
        text = Path(probe.__file__).read_text()
        ast.parse(text, feature_version=(3, 6))
        self.assertNotRegex(text, r"import annotations|\blist\[|\bdict\[|removeprefix")

    def test_what_is_here(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "file")
            file.write_text("123")
            program = Path(folder, "program")
            program.write_text("#!/bin/sh\necho libx.so: not found >&2; exit 127\n")
            program.chmod(0o755)
            found = probe.look({"program": str(program), "files": [str(file), "/absent", folder],
                                "folder": folder, "folders": [folder + "/a/b"]})
        self.assertEqual(found["sizes"], [3, None, 0])
        self.assertEqual(found["fault"], "libx.so: not found")
        self.assertEqual(found["unwritable"], [])
        self.assertTrue(found["has_folder"])
        self.assertEqual(found["networks"]["127.0.0.1"], "127.0.0.0/8")


class PlaceTest(unittest.TestCase):
    def place(self, text, lanes=None, threads=None, **answers):
        return hosts.place(lanes, hosts.parse_hosts(text), threads, answers)

    def test_as_asked(self):
        found = self.place("a:1,b:2", a=answer(), b=answer())
        self.assertEqual(found, ({"a": 1, "b": 2}, 2))
        found = self.place("a:1,b:2", a=answer(), b=answer(), threads=1)
        self.assertEqual(found, ({"a": 1, "b": 2}, 1))

    def test_as_suits_the_hosts(self):
        self.assertEqual(self.place("a,b", a=answer(), b=answer(cores=2)), ({"a": 4, "b": 2}, 1))
        found = self.place("a,b", 7, a=answer(cores=16), b=answer(cores=6))
        self.assertEqual(found, ({"a": 3, "b": 3}, 2))

    def test_binding(self):
        few = {"a": answer(), "b": answer(cores=4, physical_cores=2)}
        self.assertEqual(hosts.choose_binding({"a": 4, "b": 1}, 1, few), "core")
        self.assertEqual(hosts.choose_binding({"a": 2, "b": 2}, 2, few), "hwthread")
        self.assertEqual(hosts.choose_binding({"a": 5, "b": 1}, 1, few), "none")

    def test_words(self):
        def words(bind_to, networks=()):
            placement = hosts.Placement({"a": 2, "b": 1}, 3, bind_to, list(networks))
            return " ".join(hosts.command_line_on_hosts(Path("/p"), "train", ["x"], placement))

        self.assertIn("--host a:2,b:1 -np 3 --map-by slot:PE=3 --bind-to core ", words("core"))
        self.assertIn("--bind-to hwthread --use-hwthread-cpus ", words("hwthread"))
        self.assertIn("--bind-to none --oversubscribe ", words("none"))
        self.assertNotIn("if_include", words("core"))
        self.assertIn("btl_tcp_if_include ib0 ", words("core", ["ib0"]))
        self.assertTrue(words("core").endswith(" /p train --threads 3 x"))


class JudgeTest(unittest.TestCase):
    def problems(self, **differing):
        found = preflight.judge({"a": answer(), "b": answer(**differing)}, NEEDS, "abc")
        self.assertEqual(found["a"], [])
        return found["b"]

    def test_nothing_is_wrong(self):
        self.assertEqual(self.problems(), [])

    def test_each_fault_is_named(self):
        for differing, text in (
            ({"digest": None}, "has no /p/build/lockstep"),
            ({"digest": "abd"}, "has another build of /p/build/lockstep"),
            ({"fault": "libx.so: not found"}, "cannot run /p/build/lockstep: libx.so: not found"),
            ({"has_orted": False}, "has no Open MPI"),
            ({"has_folder": False}, "has no folder /p,"),
            ({"sizes": [None]}, "cannot read /d/train.csv"),
            ({"sizes": [1233]}, "has another /d/train.csv: 1233 bytes, on a 1234"),
            ({"unwritable": ["/p/models"]}, "cannot write in /p/models"),
            ({"clock_seconds": 7.4}, "its clock is 7 s ahead"),
            ({"clock_seconds": -61.0}, "its clock is 61 s behind"),
        ):
            with self.subTest(text):
                found = self.problems(**differing)
                self.assertEqual(len(found), 1, found)
                self.assertTrue(found[0].startswith(text), found)

    def test_all_faults_at_once(self):
        self.assertEqual(len(self.problems(digest="x", sizes=[None], clock_seconds=6.0)), 3)

    def test_a_clock_within_five_seconds_is_right(self):
        self.assertEqual(self.problems(clock_seconds=4.9), [])

    def test_the_time_of_the_answer_itself_is_no_difference(self):
        self.assertEqual(preflight.clock_offset(100.0, 100.0, 108.0), 0.0)
        self.assertEqual(preflight.clock_offset(100.0, 108.0, 108.0), 0.0)
        self.assertEqual(preflight.clock_offset(100.0, 93.0, 108.0), -7.0)
        self.assertEqual(preflight.clock_offset(100.0, 120.0, 108.0), 12.0)

    def test_room(self):
        def problems(slots, threads, gpus=False):
            needs = preflight.Needs("/p", [], "/p", [], gpus=gpus)
            found = preflight.room_problems({"a": answer(gpus=1)}, {"a": slots}, threads, needs)
            return found["a"]

        self.assertEqual(problems(2, 2), [])
        self.assertEqual(problems(1, 1, gpus=True), [])
        self.assertRegex(problems(2, 3)[0], "^2 ranks of 3 threads, but 4 cores; ")
        self.assertRegex(problems(2, 2, gpus=True)[0], "^2 ranks, each on a GPU, but 1 GPU; ")


class NeedsTest(unittest.TestCase):
    def needs(self, command, *arguments, gpus=False, weights="w.safetensors"):
        experiment = Experiment("x", 4, gpus, ["a.zip"], ["v.csv"], ["/t.csv"], [weights],
                                "val_accuracy")
        return preflight.needs_of(Path("/p/b"), command, list(arguments), experiment, Path("/p"))

    def test_data_files(self):
        with tempfile.NamedTemporaryFile() as weights:
            self.assertEqual(self.needs("train", weights=weights.name).files,
                             ["/p/a.zip", "/p/v.csv", weights.name])
        # A training that goes on does not read weights to begin from, which may be gone.
        self.assertEqual(self.needs("train").files, ["/p/a.zip", "/p/v.csv"])
        self.assertEqual(self.needs("bench").files, ["/p/a.zip", "/p/v.csv"])
        self.assertEqual(self.needs("predict").files, ["/t.csv"])
        self.assertEqual(self.needs("predict", "--data", "/x").files, [])

    def test_gpus(self):
        self.assertFalse(self.needs("train").gpus)
        self.assertTrue(self.needs("train", gpus=True).gpus)

    def test_weights_alone(self):
        needs = preflight.needs_of(Path("/p/b"), "predict", [], None, Path("/p"))
        self.assertEqual((needs.files, needs.folders, needs.gpus), ([], [], False))


LINE = "-" * 74 + "\n"
LOST = f"""{LINE}ORTE has lost communication with a remote daemon.

  HNP daemon   : [[14262,0],0] on node na
  Remote daemon: [[14262,0],1] on node nb

This is usually due to a failure of the network
{LINE}"""
DIED = f"""{LINE}mpirun noticed that process rank 1 with PID 77 on node nb exited on signal 9 (Killed).
{LINE}"""


class AskTest(unittest.TestCase):
    def ask(self, script):
        """The lines for two hosts behind an agent."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "agent")
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
            with mock.patch.dict(os.environ, OMPI_MCA_plm_rsh_agent=str(path)), \
                    mock.patch.object(preflight, "DEADLINE_SECONDS", 0.5):
                answers, lines = preflight.ask_all(
                    hosts.parse_hosts("192.0.2.77,192.0.2.78"), NEEDS)
        self.assertEqual(answers, {})
        self.assertEqual(len(lines), 2)
        self.assertTrue(lines[0].startswith("192.0.2.77: not reached: "), lines)
        self.assertTrue(lines[1].startswith("192.0.2.78: not reached: "), lines)
        return lines[0]

    def test_a_host_that_does_not_answer(self):
        self.assertIn("no answer within 0.5 s; ", self.ask("exec sleep 20"))

    def test_a_host_without_python(self):
        line = self.ask("echo banner >&2; echo 'sh: python3: not found' >&2; exit 127")
        self.assertIn("not reached: sh: python3: not found; this must work: ", line)

    def test_an_agent_that_says_nothing(self):
        self.assertRegex(self.ask("exit 3"), r"not reached: \S+/agent ended with 3; ")


class MessagesTest(unittest.TestCase):
    def messages(self, text):
        messages = MpirunMessages()
        passed_on = [line for line in text.splitlines(keepends=True) if not messages.take(line)]
        return messages, "".join(passed_on)

    def test_a_host_that_was_lost(self):
        messages, passed_on = self.messages("one\n" + DIED + LOST + "two\n")
        self.assertEqual(passed_on, "one\ntwo\n")
        self.assertRegex(messages.cause(), "^nb was lost: ")

    def test_a_warning_that_means_nothing(self):
        _, passed_on = self.messages(
            "[na:77] plm:rsh: Warning: setpgid(78,78) failed in parent with errno=13\n")
        self.assertEqual(passed_on, "")

    def test_a_rank_that_died(self):
        messages, _ = self.messages(DIED)
        self.assertEqual(messages.cause(), "rank 1 on nb died (process 77, SIGKILL)")
        messages, _ = self.messages(DIED.replace("77", "0"))
        self.assertEqual(messages.cause(), "rank 1 on nb died (SIGKILL)")

    def test_the_programs_lines_are_never_kept(self):
        messages, passed_on = self.messages(LINE + "hello\nlockstep: warning\n" + LINE)
        self.assertEqual(passed_on, "lockstep: warning\n")
        self.assertEqual(messages.cause(), "")
        self.assertEqual(messages.text(), "hello\n")


class UsageTest(FakeProjectTest):
    def test_usage_errors_are_one_line(self):
        for words in (["--hosts"], ["--hosts", "a:0"], ["--hosts=a:1", "-np", "2"],
                      ["--hostfile", "absent"], ["--interface"]):
            with self.subTest(words):
                result = self.launch("train", *words)
                self.assertEqual(result.returncode, 2)
                self.assertRegex(result.stderr, r"\Alockstep: .*\n\Z")


if __name__ == "__main__":
    unittest.main()
