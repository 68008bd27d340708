"""What the launcher does where it is started from elsewhere than a shell on a free machine:
with a part of the cores, without shared memory, below a link, by another's starter."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from fake_project import ANSWER_NEEDS, ROOT, FakeProjectTest

sys.path.insert(0, str(ROOT / "launcher"))

import binding  # noqa: E402
import hosts  # noqa: E402
import interfaces  # noqa: E402
import job  # noqa: E402
import loader_faults  # noqa: E402
import message_folder  # noqa: E402
import paths  # noqa: E402
import probe  # noqa: E402
import slurm  # noqa: E402
from allocations import Allocation  # noqa: E402


class BindingTest(unittest.TestCase):
    def words(self, ranks, threads, *node):
        cpus = binding.Cpus(*node) if node else None
        return " ".join(binding.mapping_words("ppr:2:node", ranks, threads, cpus))

    def test_cores_then_their_threads_then_none(self):
        self.assertEqual(self.words(2, 4, 16, 8, True), "--map-by ppr:2:node:PE=4")
        self.assertEqual(self.words(2, 4, 8, 4, True),
                         "--map-by ppr:2:node:PE=4 --bind-to hwthread --use-hwthread-cpus")
        self.assertEqual(self.words(2, 4, 7, 7, True), "--map-by ppr:2:node --bind-to none")

    def test_not_bound_outside_of_a_mask(self):
        self.assertEqual(self.words(2, 1, 2, 2, False), "--map-by ppr:2:node --bind-to none")

    def test_not_bound_where_nothing_is_known_of_the_nodes(self):
        self.assertEqual(self.words(2, 1), "--map-by ppr:2:node --bind-to none")
        around = Allocation("Slurm job 7", 2, [2, 2])
        self.assertIn("ppr:2:node", slurm.slurm_words(around, 4, 2, {}))

    def test_the_mask_of_this_process(self):
        before = os.sched_getaffinity(0)
        try:
            os.sched_setaffinity(0, {min(before)})
            self.assertEqual(binding.cpus_here().logical, 1)
            self.assertEqual(binding.cpus_here().is_whole, len(probe.cores_of_group()) == 1)
            self.assertEqual(os.sched_getaffinity(0), {min(before)})
        finally:
            os.sched_setaffinity(0, before)

    def is_whole(self, given, of_node, mine=128, physical=64, name="n7"):
        """Of `mine` of a node's 128 CPUs, of which Slurm gave some and counts `of_node` in all."""
        with tempfile.TemporaryDirectory() as folder:
            if of_node:
                scontrol = Path(folder, "scontrol")
                scontrol.write_text('#!/bin/sh\n[ "$*" = "show node -o n7" ] || exit 1\n'
                                    f"echo NodeName=n7 CPUEfctv=9 CPUTot={of_node} CPULoad=1\n")
                scontrol.chmod(0o755)
            env = {"PATH": folder, "SLURM_CPUS_ON_NODE": str(given)}
            named = {"SLURMD_NODENAME": name} if name else {}
            with mock.patch.dict(os.environ, env | named, clear=True), \
                    mock.patch("os.cpu_count", lambda: 128), \
                    mock.patch("os.sched_getaffinity", lambda _: set(range(mine))), \
                    mock.patch.object(binding, "cores_of_group", lambda: set(range(mine))), \
                    mock.patch.object(binding, "physical_cores", lambda: physical):
                return binding.cpus_here().is_whole

    def test_a_part_of_a_node_that_nothing_keeps_it_to(self):
        """Another job may have the same cores."""
        for given, of_node, is_whole in (
                (63, 128, False), (64, 128, False), (96, 128, False), (127, 128, False),
                (128, 128, True), (63, 64, False), (64, 64, True),
                (63, 0, False), (64, 0, True), (65, 0, False), (127, 0, False), (128, 0, True)):
            with self.subTest(given=given, of_node=of_node):
                self.assertEqual(self.is_whole(given, of_node), is_whole)

    def test_a_part_of_a_node_that_slurm_keeps_it_to(self):
        """It has all that its process may run on, whichever Slurm counts."""
        for given, of_node in ((64, 128), (64, 0), (32, 64), (32, 0)):
            with self.subTest(given=given, of_node=of_node):
                self.assertTrue(self.is_whole(given, of_node, mine=64, physical=32))
        self.assertFalse(self.is_whole(32, 128, mine=64, physical=32))

    def test_a_node_that_slurm_does_not_know(self):
        """Half of its CPUs may be all of its cores."""
        for name in ("other", ""):
            with self.subTest(name):
                self.assertTrue(self.is_whole(64, 128, name=name))
                self.assertFalse(self.is_whole(65, 128, name=name))

    def test_a_batch_script_asks_on_its_node(self):
        words = [sys.executable, ROOT / "launcher" / "binding.py", "5000", "1"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "--map-by ppr:5000:node --bind-to none\n")
        self.assertRegex(done.stderr, r"\Alockstep: 5000 ranks of 1 thread share \d+ cores?, all ")

    def test_a_local_job_in_a_mask_is_not_bound(self):
        machine = job.Machine(2, 2, is_root=False, is_whole=False)
        words = job.command_line(Path("/b"), "train", [], job.Shape(2, 1), machine)
        self.assertEqual(words[words.index("--bind-to") + 1], "none")

    def test_a_part_of_a_machine(self):
        whole = job.Machine(8, 4, is_root=False)
        self.assertEqual(job.part_of(whole, 8), whole)
        self.assertEqual(job.part_of(whole, None), whole)
        self.assertEqual(job.part_of(whole, 2), job.Machine(2, 4, False, is_whole=False))


class InterfacesTest(unittest.TestCase):
    def words(self, wanted=None, here=(), home="", **env):
        with tempfile.TemporaryDirectory() as folder, \
                mock.patch.dict(os.environ, {"HOME": folder, "PATH": folder} | env, clear=True), \
                mock.patch("socket.if_nameindex", lambda: list(enumerate(here, 1))):
            if home:
                Path(folder, ".openmpi").mkdir()
                Path(folder, ".openmpi", "mca-params.conf").write_text(home)
            return " ".join(interfaces.interface_words(wanted))

    def test_networks_of_one_host_are_left_out(self):
        here = ("lo", "eth0", "docker0", "docker1", "br-0123456789ab", "br0", "ib0", "virbr0",
                "veth12ab")
        names = "lo,docker0,virbr0,docker1,br-0123456789ab,veth12ab"
        self.assertEqual(self.words(here=here), f"--mca btl_tcp_if_exclude {names} "
                         f"--mca oob_tcp_if_exclude {names}")

    def test_the_users_and_the_sites_words_count(self):
        self.assertEqual(self.words("ib0"), "--mca btl_tcp_if_include ib0 "
                         "--mca oob_tcp_if_include ib0")
        self.assertEqual(self.words(OMPI_MCA_btl_tcp_if_include="ib0"), "")
        self.assertEqual(self.words(home="# mine\nbtl_tcp_if_include = ib0\n"), "")
        self.assertIn("exclude", self.words(home="# btl_tcp_if_include = ib0\n"))

    def test_hosts_whose_networks_are_not_known(self):
        placement = hosts.Placement({"a": 1, "b": 1}, 1, "core", [])
        with mock.patch.dict(os.environ, clear=True):
            words = hosts.command_line_on_hosts(Path("/p"), "train", [], placement)
            self.assertIn("btl_tcp_if_exclude", words)
            words = hosts.command_line_on_hosts(
                Path("/p"), "train", [], hosts.Placement({"a": 2}, 1, "core", []))
        self.assertNotIn("oob_tcp_if_exclude", words)


class PathsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        (self.folder / "export" / "u" / "jobs").mkdir(parents=True)
        (self.folder / "home").mkdir()
        (self.folder / "home" / "u").symlink_to(self.folder / "export" / "u")

    def named(self, path, pwd="", home="/"):
        with mock.patch.dict(os.environ, PWD=str(pwd), HOME=str(home)):
            return paths.as_named(self.folder / path)

    def test_below_a_link(self):
        home = self.folder / "home" / "u"
        for where in ({"pwd": home / "jobs"}, {"pwd": home}, {"home": home}):
            with self.subTest(where):
                self.assertEqual(self.named("export/u/jobs/x", **where), f"{home}/jobs/x")
                self.assertEqual(self.named("export/u", **where), f"{home}")
                self.assertEqual(self.named("export/users", **where),
                                 str(self.folder / "export" / "users"))

    def test_elsewhere(self):
        for pwd in ("", "/absent", "relative", "/", str(self.folder / "home" / ".." / "home")):
            with self.subTest(pwd):
                self.assertEqual(self.named("export/u/x", pwd),
                                 str(self.folder / "export" / "u" / "x"))


class LoaderTest(unittest.TestCase):
    LINES = (
        "/p/lockstep: error while loading shared libraries: libmpi.so.40: cannot open shared "
        "object file: No such file or directory",
        "/p/lockstep: error while loading shared libraries: /m/lib/libmpi.so.40: file too short",
        "/p/lockstep: symbol lookup error: /p/lockstep: undefined symbol: ompi_mpi_char",
        "/p/lockstep: /m/lib/libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by /p/l)",
    )

    def test_lines_of_the_loader(self):
        for line in self.LINES:
            with self.subTest(line):
                self.assertNotEqual(loader_faults.loader_fault(line + "\n"), "")
        for line in ("lockstep: x: no such file", "a: b", "x: cannot open: y"):
            self.assertEqual(loader_faults.loader_fault(line), "")

    def test_the_folder_that_it_is_of(self):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "libmpi.so.40").touch()
            env = {"LD_LIBRARY_PATH": f"/absent:{folder}"}
            text = loader_faults.explain("libmpi.so.40: file too short", env)
            self.assertIn(f"; {folder} comes first by LD_LIBRARY_PATH: unload", text)
            text = loader_faults.explain("/p/lockstep: undefined symbol: ompi_mpi_char", env)
            self.assertIn(f"; {folder} comes first", text)
            self.assertIn("build again", loader_faults.explain("libmpi.so.40: file too short", {}))


class StartTest(FakeProjectTest):
    def test_ranks_that_share_a_core(self):
        self.launch("build")
        core = str(min(os.sched_getaffinity(0)))
        done = subprocess.run(
            ["taskset", "-c", core, sys.executable, self.project / "launcher" / "lockstep", "train",
             "-np", "2"], env=self.environment(), cwd=self.folder, capture_output=True, text=True,
            check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"\Alockstep: 2 ranks of 1 thread share 1 core, all that "
                         r"this process may use[^\n]*\n\Z")

    def test_a_library_that_is_another_ones(self):
        self.launch("build")
        line = LoaderTest.LINES[1]
        (self.project / "build" / "lockstep").write_text(
            f"#!/bin/sh\n{ANSWER_NEEDS}\necho '{line}' >&2; exit 127\n")
        self.tool("mpirun", f"echo '{line}' >&2; echo '{line}' >&2; exit 127")
        slurm_job = {"SLURM_JOB_ID": "5", "SLURM_JOB_NUM_NODES": "2",
                     "SLURM_JOB_CPUS_PER_NODE": "1(x2)"}
        for env in ({}, slurm_job):
            with self.subTest(env):
                done = self.launch("train", "-np", "2", LD_LIBRARY_PATH="/m/lib", **env)
                said = [text for text in done.stderr.splitlines() if "share" not in text or
                        "libraries" in text]
                self.assertEqual((done.returncode, len(said)), (1, 1), done.stderr)
                self.assertRegex(done.stderr, r"lockstep: the program cannot start: \S+libmpi.so.40"
                                 ": file too short; ")

    def test_a_rank_alone(self):
        self.launch("build")
        (self.project / "build" / "lockstep").write_text(
            f"#!/bin/sh\n{ANSWER_NEEDS}\necho '{LoaderTest.LINES[1]}' >&2; exit 127\n")
        done = self.launch("train", "-np", "1", LD_LIBRARY_PATH="/m/lib")
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 2), done.stderr)
        self.assertIn("unload the modules that set LD_LIBRARY_PATH", done.stderr)

    def test_the_program_asked_for_its_needs(self):
        self.launch("build")
        (self.project / "build" / "lockstep").write_text(
            f"#!/bin/sh\necho '{LoaderTest.LINES[0]}' >&2; exit 127\n")
        done = self.launch("train", "x")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\Alockstep: the program cannot start: libmpi[^\n]*\n\Z")

    def test_a_rank_that_was_ended_for_want_of_memory(self):
        counters = self.folder / "vmstat"
        module = self.project / "launcher" / "memory_kills.py"
        module.write_text(module.read_text().replace("/proc/vmstat", str(counters)))
        self.launch("build")
        for kills, status, said in ((8, 137, True), (8, 4, True), (7, 137, False), (8, 2, False)):
            with self.subTest(kills=kills, status=status):
                counters.write_text("pgfault 1\noom_kill 7\n")
                self.tool("mpirun", f"echo 'oom_kill {kills}' >{counters}; exit {status}")
                done = self.launch("train", "-np", "2")
                self.assertEqual("for want of memory; ask for more" in done.stderr, said)
        counters.unlink()
        self.assertNotIn("memory", self.launch("train", "-np", "2").stderr)

    def test_copies_of_other_starters(self):
        self.launch("build")
        for starter, env in (
            ("flux run", {"FLUX_TASK_RANK": "0", "FLUX_JOB_SIZE": "4"}),
            ("the mpiexec of PALS", {"PALS_RANKID": "3", "PALS_APID": "x"}),
            ("the mpirun of MPICH or Intel MPI", {"PMI_RANK": "0", "PMI_SIZE": "2"}),
            ("torchrun", {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "2", "RANK": "0"}),
        ):
            with self.subTest(starter):
                done = self.launch("train", "x", **env)
                self.assertEqual(done.returncode, 2)
                self.assertRegex(done.stderr, rf"\Alockstep: {starter} started \w+ copies of the "
                                 r"launcher, [^\n]*without it[^\n]*\n\Z")
        self.assertEqual(self.launch("train", "-np", "1", PMI_RANK="0", PMI_SIZE="1").returncode, 0)

    def test_a_project_below_a_link(self):
        """Slurm's nodes, and other hosts, get the paths that the shell knows."""
        home = self.folder / "home"
        home.symlink_to(self.project)
        done = self.launch("slurm", "x.textproto", "--print", "--run-dir", "r", cwd=home,
                           PWD=str(home))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"\ncd {home} || cd {self.project} || exit 1\n", done.stdout)
        self.assertIn(f" {home}/build/lockstep train ", done.stdout)
        self.assertIn(f"LOCKSTEP_ROOT={home}\n", done.stdout)
        self.assertIn(f"--output={home}/r/slurm.log\n", done.stdout)


@unittest.skipUnless(os.geteuid() == 0, "mounts need root")
class SharedMemoryTest(FakeProjectTest):
    def start(self, mounts, tmpdir):
        self.launch("build")
        self.tool("mpirun", f'echo "at ${{{message_folder.VARIABLE}:-nowhere}}"')
        words = ["unshare", "--mount", "sh", "-ec", f'{mounts}; exec "$@"', "sh", sys.executable,
                 str(self.project / "launcher" / "lockstep"), "train", "-np", "3"]
        return subprocess.run(words, env=self.environment(TMPDIR=str(tmpdir)), cwd=self.folder,
                              capture_output=True, text=True, check=False)

    def test_too_small_or_only_to_read(self):
        for options in ("size=1m", "size=64m,ro"):
            with self.subTest(options):
                done = self.start(f"mount -t tmpfs -o {options} tmpfs /dev/shm",
                                  self.folder)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stdout, rf"at {self.folder}/lockstep-messages-\w+\n")
                self.assertIn("lockstep: /dev/shm cannot be written, or has less than the 13 MB of "
                              f"messages: they are kept in {self.folder}; ", done.stderr)
                self.assertEqual(list(self.folder.glob("lockstep-messages-*")), [])

    def test_of_hosts_that_mpirun_makes_it_on(self):
        self.assertEqual(message_folder.shortage(1, 0), "")
        self.assertEqual(message_folder.shortage(3, None), "")
        self.assertEqual(message_folder.shortage(3, 13 << 20), "")
        self.assertIn("than the 13 MB of messages of 3 ranks: they go over TCP",
                      message_folder.shortage(3, 12 << 20))

    def test_tcp_where_there_is_no_room_at_all(self):
        (self.folder / "room").mkdir()
        done = self.start("for f in /dev/shm room; do mount -t tmpfs -o size=1m tmpfs $f; done",
                          self.folder / "room")
        self.assertEqual((done.returncode, done.stdout), (0, "at nowhere\n"), done.stderr)
        self.assertIn("they go over TCP, which is slower", done.stderr)


if __name__ == "__main__":
    unittest.main()
