"""Tests of the real launcher and program on several hosts: network namespaces of this machine."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from host_net import HostNet
from lockstep_run import BINARY, EXPERIMENT, LockstepTest

ROOT = Path(__file__).resolve().parents[2]


def tool(folder, name, script):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@unittest.skipUnless(os.geteuid() == 0, "network namespaces need root")
class HostsTest(LockstepTest):
    """A project of the real launcher and program, whose builder is a stand-in, on hosts."""

    names = ("na", "nb")
    delay_seconds = 0.0
    rate = None  # of the links, as fast as they go
    experiment_text = EXPERIMENT

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.net = HostNet(cls.names, cls.delay_seconds, cls.rate)
        cls.addClassCleanup(cls.net.close)
        # Not below /dev/shm: that is each host's own.
        shared = tempfile.TemporaryDirectory()
        cls.addClassCleanup(shared.cleanup)
        cls.shared = Path(shared.name).resolve()
        cls.project = cls.shared / "project"
        cls.program = cls.project / "build" / "lockstep"
        for folder in ("src", "include", ".deps", "build"):
            (cls.project / folder).mkdir(parents=True)
        shutil.copytree(ROOT / "launcher", cls.project / "launcher")
        (cls.project / "CMakeLists.txt").write_text("")
        (cls.project / "torch" / "lib").mkdir(parents=True)
        (cls.project / "torch" / "lib" / "libtorch_cpu.so").write_text("")
        shutil.copy(BINARY, cls.program)
        tools = cls.shared / "tools"
        tools.mkdir()
        tool(tools, "dpkg-query", 'shift 3; for p in "$@"; do echo "installed $p"; done')
        tool(tools, "cmake", "exit 0")
        tool(tools, "ninja", "exit 0")
        cls.data = cls.shared / "data"
        cls.data.mkdir()
        for file in (cls.train_csv, cls.test_csv):
            shutil.copy(file, cls.data)
        text = cls.experiment_text % {"train": cls.data / "train.csv", "test": cls.data / "test.csv"}
        cls.config = cls.shared / "tiny.textproto"
        cls.config.write_text(text)
        built = subprocess.run([cls.project / "launcher" / "lockstep", "build"],
                               env=cls.environment(), capture_output=True, text=True)
        assert built.returncode == 0, built.stderr

    @classmethod
    def environment(cls):
        kept = {key: value for key, value in os.environ.items()
                if not key.startswith(("OMPI_", "LOCKSTEP_"))}
        return kept | {
            "PATH": f"{cls.shared / 'tools'}:{kept['PATH']}",
            "LOCKSTEP_TORCH": str(cls.project / "torch"),
            "OMPI_MCA_plm_rsh_agent": str(cls.net.agent),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMPI_MCA_mpi_yield_when_idle": "1",  # the hosts share this machine's cores
        }

    def start(self, *words, at="na", **environment):
        """Starts the launcher on a host."""
        command = [*self.net.entry(at), "env", "-C", self.shared, sys.executable,
                   self.project / "launcher" / "lockstep", *map(str, words)]
        return subprocess.Popen(command, env=self.environment() | environment, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def launch(self, *words, at="na", **environment):
        process = self.start(*words, at=at, **environment)
        try:
            output, errors = process.communicate(timeout=400)
        finally:
            process.kill()
        return subprocess.CompletedProcess(words, process.returncode, output, errors)

    def trained_on(self, hosts, *words, **environment):
        """Trains on hosts; what that printed."""
        run = self.shared / "runs" / hosts.replace(":", "-").replace(",", "_")
        done = self.launch("train", self.config, "--hosts", hosts, "--run-dir", run,
                           "--resume", "never", *words, **environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def train_on(self, hosts, *words):
        """Trains on hosts; the digest of the weights."""
        return self.digest_of(self.trained_on(hosts, *words))

    def rank_process(self, rank):
        """The process of a rank of this class's job."""
        marks = (f"OMPI_COMM_WORLD_RANK={rank}\0".encode(),
                 f"LOCKSTEP_ROOT={self.project}\0".encode())
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                environment = path.read_bytes()
            except OSError:
                continue  # ended meanwhile
            if all(mark in environment for mark in marks):
                return int(path.parent.name)
        raise AssertionError(f"no process of rank {rank}")

    def expected_digest(self, *words):
        """Of the same training in one process on this machine."""
        done = self.run_binary("train", self.config, "--run-dir", self.folder / "alone",
                               "--resume", "never", "--threads", 1, *words, ranks=None)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.digest_of(done)
