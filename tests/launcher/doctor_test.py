"""launcher/lockstep doctor: what it finds on a machine where all is well, and each thing that
can be wrong."""

import errno
import json
import os
import subprocess
import sys
import tempfile
import time
import types
import unittest
from pathlib import Path
from unittest import mock

from fake_project import ROOT, FakeProjectTest

sys.path.insert(0, str(ROOT / "launcher"))

import checks_of_folder as folder_checks  # noqa: E402
import checks_of_machine as machine_checks  # noqa: E402
import findings  # noqa: E402
import job  # noqa: E402
import probe  # noqa: E402
from findings import Finding  # noqa: E402

TOPICS = ["started", "cores", "ranks", "networks", "shared memory", "memory", "open files", "disk",
          "models folder", "locks", "clock", "GPUs", "Open MPI", "program"]


class TableTest(unittest.TestCase):
    def test_each_line_ends_with_ok_or_what_to_do(self):
        text = findings.as_table([Finding("a", "one"), Finding("longer", "x" * 70, "do it"),
                                  Finding("b", "\x1b[2J")])
        self.assertEqual(text, f"a       one   ok\nlonger  {'x' * 70}  warning: do it\n"
                         "b       ?[2J  ok\n\n1 warning\n")
        self.assertTrue(findings.as_table([Finding("a", "b")]).endswith("\n\nnothing is wrong\n"))

    def test_json(self):
        found = json.loads(findings.as_json([Finding("a", "b"), Finding("c", "d", "e")]))
        self.assertEqual(found, {"ok": False, "checks": [
            {"topic": "a", "found": "b", "ok": True, "advice": ""},
            {"topic": "c", "found": "d", "ok": False, "advice": "e"}]})


class FolderTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def room(self, free, files):
        there = types.SimpleNamespace(f_bavail=free, f_frsize=1, f_files=files * 2, f_favail=files)
        return folder_checks.check_room(self.folder, lambda _: there)

    def test_room(self):
        self.assertEqual(self.room(1 << 31, 5000).advice, "")
        self.assertEqual(self.room(1 << 31, 0).advice, "")  # as btrfs says
        self.assertIn("make room", self.room(1 << 29, 5000).advice)
        self.assertIn("fewer than 1000 files", self.room(1 << 31, 10).advice)

    def test_a_quota(self):
        for number, text in ((errno.EDQUOT, "your quota is used up"), (errno.ENOSPC, "make room")):
            with mock.patch("os.fsync", side_effect=OSError(number, os.strerror(number))):
                self.assertIn(text, folder_checks.check_write(self.folder).advice)
        self.assertEqual(folder_checks.check_write(self.folder).advice, "")

    def test_locks(self):
        self.assertEqual(folder_checks.check_locks(self.folder).advice, "")
        with mock.patch.object(folder_checks, "OTHER_LOCK", "import sys; sys.exit(0)"):
            self.assertIn("two processes got one lock",
                          folder_checks.check_locks(self.folder).advice)
        with mock.patch("fcntl.flock", side_effect=OSError(errno.ENOLCK, "No locks available")):
            self.assertIn("No locks available", folder_checks.check_locks(self.folder).advice)

    def test_clock(self):
        def advice(offset):
            return folder_checks.check_clock(self.folder, lambda: time.time() + offset).advice

        self.assertEqual(advice(0), "")
        self.assertEqual(advice(4), "")
        self.assertRegex(advice(100), "the file server's is (99|100|98) s behind")
        self.assertRegex(advice(-100), "the file server's is 100 s ahead|101 s ahead")
        self.assertIn("long past", folder_checks.check_clock(self.folder, lambda: 7.0).advice)

    def test_file_system(self):
        mounts = self.folder / "mounts"
        mounts.write_text(
            "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
            f"22 21 0:9 / {self.folder} rw - nfs4 server:/x rw\n"
            f"23 21 0:9 / {self.folder}/a\\040b rw - lustre x rw\nnonsense\n")
        for path, kind in (("/usr", "ext4"), (self.folder / "c", "nfs4"),
                           (self.folder / "a b" / "c", "lustre")):
            self.assertEqual(folder_checks.file_system(Path(path), mounts), kind)

    def test_a_folder_that_cannot_be_written(self):
        with mock.patch("tempfile.TemporaryDirectory",
                        side_effect=OSError(errno.EROFS, "Read-only file system")):
            found = folder_checks.check_folder(self.folder / "absent" / "models")
        self.assertIn("Read-only file system", found[1].advice)


class MachineTest(unittest.TestCase):
    def test_ranges(self):
        self.assertEqual(machine_checks.as_ranges({0, 1, 2, 5, 7, 8}), "0-2,5,7-8")
        self.assertEqual(machine_checks.as_ranges(set()), "")

    def test_a_mask(self):
        machine = job.Machine(2, 2, is_root=False)
        with mock.patch("os.sched_getaffinity", lambda _: {1, 2}), \
                mock.patch("probe.cores_of_group", lambda: {0, 1, 2, 3}):
            self.assertIn("CPUs 0-3, but", machine_checks.check_cores(machine).advice)

    def test_quota_and_memory_of_groups_above(self):
        with tempfile.TemporaryDirectory() as folder, \
                mock.patch("probe.group_folders", lambda controller, root: [
                    os.path.join(root, controller, "a"), os.path.join(root, controller)]):
            group = Path(folder, "a")
            group.mkdir()
            (group / "cpu.max").write_text("max 100000\n")
            (Path(folder) / "cpu.max").write_text("300000 100000\n")
            (group / "memory.max").write_text("max\n")
            self.assertEqual(probe.quota(folder), 3)
            self.assertIsNone(probe.memory_limit(folder))
            (Path(folder) / "memory.max").write_text("4096\n")
            self.assertEqual(probe.memory_limit(folder), 4096)
        with tempfile.TemporaryDirectory() as folder, \
                mock.patch("probe.group_folders", lambda _, root: [root]):
            Path(folder, "memory.limit_in_bytes").write_text(f"{0x7FFFFFFFFFFFF000}\n")
            self.assertIsNone(probe.memory_limit(folder))  # version 1 without a limit

    def test_networks(self):
        def found(*interfaces, several=True, address="10.0.0.5"):
            with mock.patch("probe.interfaces", lambda: list(interfaces)), \
                    mock.patch("socket.gethostbyname", lambda _: address):
                return machine_checks.check_networks(several)

        lo, eth = ("lo", "127.0.0.1", "127.0.0.0/8"), ("eth0", "10.0.0.5", "10.0.0.0/24")
        docker = ("docker0", "172.17.0.1", "172.17.0.0/16")
        self.assertEqual(found(lo, eth, docker), Finding(
            "networks", "eth0 10.0.0.5/24 between hosts; not lo 127.0.0.1/8, docker0 "
            "172.17.0.1/16"))
        self.assertIn("no network leads", found(lo, docker).advice)
        self.assertEqual(found(lo, several=False).advice, "")
        self.assertIn("(/etc/hosts)", found(lo, eth, address="127.0.1.1").advice)

    def test_shared_memory(self):
        with mock.patch.object(machine_checks, "free_bytes", lambda _: 1 << 20):
            self.assertIn("messages of 2 ranks want",
                          machine_checks.check_shared_memory(2).advice)
            self.assertEqual(machine_checks.check_shared_memory(1).advice, "")
        with mock.patch.object(machine_checks, "SHARES_MEMORY", "print('', flush=True)"):
            self.assertIn("memfd_create fails", machine_checks.check_shared_memory(1).advice)
        with mock.patch.object(machine_checks, "SHARES_MEMORY",
                               "import sys; print(999, flush=True); sys.stdin.read()"):
            self.assertIn("ptrace_scope", machine_checks.check_shared_memory(1).advice)

    def test_memory_and_files(self):
        with mock.patch("probe.memory_limit", lambda: 1 << 28):
            self.assertIn("train --dry-run", machine_checks.check_memory().advice)
        with mock.patch("resource.getrlimit", lambda _: (20, 30)):
            self.assertIn("ulimit -n", machine_checks.check_files(4).advice)

    def test_gpus(self):
        def found(status, output, devices=1):
            paths = [Path(f"/dev/nvidia{i}") for i in range(devices)] + [Path("/dev/nvidiactl")]
            with mock.patch.object(Path, "glob", lambda *_: paths), mock.patch.object(
                    machine_checks, "_text_of", lambda _: "NVRM version: NVIDIA UNIX x86_64 Kernel "
                    "Module  560.35.03  Fri"), \
                    mock.patch.object(machine_checks, "_output", lambda *_: (status, output)):
                return machine_checks.check_gpus()

        listed = "GPU 0: NVIDIA H200 (UUID: GPU-1)\nGPU 1: NVIDIA H200 (UUID: GPU-2)\n"
        self.assertEqual(found(0, listed, 2), Finding("GPUs", "2, driver 560.35.03: NVIDIA H200"))
        self.assertIn("nvidia-smi fails: Driver/library version mismatch",
                      found(18, "x\nDriver/library version mismatch\n").advice)
        self.assertIn("no /dev/nvidia0", found(None, "", devices=0).advice)


class DoctorTest(FakeProjectTest):
    def setUp(self):
        super().setUp()
        self.tool("mpirun", """
            [ "$1" != --version ] || { echo 'mpirun (Open MPI) 4.1.4'; exit; }
            [ -z "$FAKE_MPIRUN" ] || { printf '%s\\n' "-------" "$FAKE_MPIRUN" >&2; exit 1; }
            exit 0""")
        self.launch("build")

    def environment(self, **more):
        marks = ("PBS_", "LSB_", "SLURM_", "FLUX_", "OMPI_", "PMI", "JOB_ID")
        return {key: value for key, value in super().environment(**more).items()
                if key in more or not key.startswith(marks)}

    def doctor(self, *words, **env):
        done = self.launch("doctor", "--json", *words, **env)
        self.assertEqual(done.stderr, "")
        found = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0 if found["ok"] else 1)
        return {check["topic"]: check for check in found["checks"]}

    def test_all_is_looked_at_and_nothing_left_behind(self):
        found = self.doctor()
        self.assertEqual(list(found), TOPICS)
        for topic in ("started", "models folder", "locks", "clock", "Open MPI", "program"):
            self.assertTrue(found[topic]["ok"], found[topic])
        self.assertEqual(found["Open MPI"]["found"].split(",")[0], "4.1.4")
        self.assertEqual(list(self.project.glob("**/.doctor-*")), [])
        done = self.launch("doctor")
        self.assertEqual([line[:15].strip() for line in done.stdout.splitlines()[:-2]], TOPICS)

    def test_it_builds_nothing(self):
        (self.project / "build" / "lockstep").unlink()
        self.assertIn("launcher/lockstep build", self.doctor()["program"]["advice"])
        self.assertFalse((self.project / "build" / "lockstep").exists())

    def test_mpirun(self):
        self.assertIn("fails: no slots", self.doctor(FAKE_MPIRUN="no slots")["Open MPI"]["advice"])
        self.tool("mpirun", "echo 'HYDRA build details:'")
        self.assertIn("another MPI's", self.doctor()["Open MPI"]["found"])

    def test_a_program_that_does_not_start(self):
        program = self.project / "build" / "lockstep"
        program.write_text("#!/bin/sh\necho \"$0: error while loading shared libraries: libx.so.1: "
                           "cannot open shared object file: No such file\" >&2; exit 127\n")
        self.assertIn("libx.so.1", self.doctor()["program"]["advice"])

    def test_how_it_was_started(self):
        def started(**env):
            return self.doctor(**env)["started"]

        self.assertIn("from a shell", started()["found"])
        self.assertIn("by mpirun, as one task", started(OMPI_COMM_WORLD_SIZE="1")["found"])
        self.assertIn("copies of the launcher", started(PMI_RANK="1", PMI_SIZE="4")["advice"])
        self.assertIn("in Slurm job 7 (2 nodes, room for 16 ranks of 1 thread)", started(
            SLURM_JOB_ID="7", SLURM_JOB_NUM_NODES="2", SLURM_JOB_CPUS_PER_NODE="8(x2)")["found"])
        self.assertIn("PBS_NODEFILE is not set", started(PBS_JOBID="3")["advice"])

    def test_more_ranks_than_cores(self):
        found = self.doctor("-np", "4000")
        self.assertIn("take turns", found["ranks"]["advice"])

    def test_hosts(self):
        self.tool("ssh", """
            case "$*" in *" b "*) echo "Permission denied" >&2; exit 255;; esac
            while [ "$1" != python3 ]; do shift; done; exec "$@" """)
        found = self.doctor("--hosts", "a:1,b:1")
        self.assertIn("cores", found["host a"]["found"])
        self.assertRegex(found["host b"]["advice"], "^Permission denied; this must work: ssh ")
        found = self.doctor("--hosts", "a:4000")
        self.assertIn("4000 ranks of 1 thread, but ", found["host a"]["advice"])
        job_hosts = self.doctor(LSB_JOBID="3", LSB_MCPU_HOSTS="a 1 c 1")
        self.assertIn("host c", job_hosts)
        self.assertIn("in LSF job 3 (a:1,c:1)", job_hosts["started"]["found"])

    def test_locks_between_hosts(self):
        (self.project / "models").mkdir()
        run = 'while [ "$1" != python3 ]; do shift; done; '
        self.tool("ssh", run + 'exec "$@"')
        found = self.doctor("--hosts", "a:1")
        self.assertEqual(found["locks of a"]["found"], "kept between the hosts")
        # One that has the folder, but does not see the lock; one that has it not.
        for last, there in (("exit 0", True), ('exec "$1" "$2" /absent/file', False)):
            self.tool("ssh", f"""{run}
                case "$3" in */.doctor-*) {last};; esac; exec "$@" """)
            found = self.doctor("--hosts", "a:1")
            self.assertEqual("locks of a" in found, there)
            if there:
                self.assertIn("got one lock", found["locks of a"]["advice"])

    def test_usage(self):
        done = self.launch("doctor", "-x")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"\Alockstep: doctor: '-x'; expected [^\n]*\n\Z")

    @unittest.skipUnless(os.geteuid() == 0, "mounts need root")
    def test_a_full_disk(self):
        models = self.project / "models"
        models.mkdir()
        words = ["unshare", "--mount", "sh", "-ec",
                 f'mount -t tmpfs -o size=64k tmpfs {models}; exec "$@"', "sh", sys.executable,
                 self.project / "launcher" / "lockstep", "doctor"]
        done = subprocess.run(words, env=self.environment(), capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^disk .* warning: less than ")
        self.assertRegex(done.stdout, r"(?m)^models folder .* warning: cannot be written: No space")


if __name__ == "__main__":
    unittest.main()
