"""Jobs of schedulers that are not here, by their variables and files as they document them."""

import contextlib
import io
import os
import re
import socket
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from fake_project import ROOT, FakeProjectTest

sys.path.insert(0, str(ROOT / "launcher"))

import allocations  # noqa: E402
import hosts  # noqa: E402
from console import LauncherError  # noqa: E402
from hosts import Host  # noqa: E402


def answer(cores):
    return {"cores": cores, "physical_cores": cores}


class ReadTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "hosts")
        patch = mock.patch.dict(os.environ, PATH=folder.name)  # no jsrun, blaunch, qrsh, flux
        patch.start()
        self.addCleanup(patch.stop)

    def tool(self, name, script="exit 0"):
        path = self.path.with_name(name)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def hosts(self, **env):
        return allocations.allocation(env).hosts

    def refused(self, *texts, **env):
        with self.assertRaises(LauncherError) as caught:
            allocations.allocation(env)
        self.assertEqual(caught.exception.status, 2)
        for text in (*texts, "type --hosts A:2,B:2"):
            self.assertIn(text, str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))

    def bad_files(self, variable, *texts, **env):
        env |= {variable: str(self.path)}
        self.path.unlink(missing_ok=True)
        self.refused("cannot be read: No such file", **env)
        for text in ("", "\n \n", *texts):
            self.path.write_text(text)
            with self.subTest(text[:20]):
                self.refused(str(self.path), **env)
        self.path.write_bytes(b"\xff\x1b[2J 1\n")
        self.refused("expected a host and its slots", **env)
        self.path.write_text("a\n" * (allocations.MOST_BYTES // 2 + 1))
        self.refused("more than", **env)
        self.path.write_text("".join(f"n{i} 1\n" if variable == "PE_HOSTFILE" else f"n{i}\n"
                                     for i in range(5000)))
        self.refused("names 5000 hosts", **env)

    def test_outside(self):
        self.assertIsNone(allocations.allocation({}))
        # Of other programs, and of the shell that submitted a job.
        self.assertIsNone(allocations.allocation({"JOB_ID": "7", "PBS_O_WORKDIR": "/"}))
        self.assertIsNone(allocations.allocation({"PBS_JOBID": "", "FLUX_JOB_ID": "f1"}))

    def test_pbs_has_a_line_for_each_rank(self):
        """select=2:ncpus=4:mpiprocs=2:ompthreads=2; the order is that of the chunks."""
        self.path.write_text("n1.hpc.org\nn2.hpc.org\nn1.hpc.org\n\nn2.hpc.org\n")
        env = {"PBS_JOBID": "12.server", "PBS_NODEFILE": str(self.path)}
        self.assertEqual(self.hosts(**env, NCPUS="2"),
                         [Host("n1.hpc.org", 2, 4), Host("n2.hpc.org", 2, 4)])
        # Torque has no NCPUS; nodes=1:ppn=3+1
        self.path.write_text("a\na\na\nb\n")
        self.assertEqual(self.hosts(**env), [Host("a", 3, 3), Host("b", 1, 1)])

    def test_pbs_of_one_line_a_host(self):
        """select=2:ncpus=16, as most people write it."""
        self.path.write_text("a\nb\n")
        self.assertEqual(self.hosts(PBS_JOBID="1", PBS_NODEFILE=str(self.path), NCPUS="16"),
                         [Host("a", 16, 16), Host("b", 16, 16)])

    def test_pbs_files_that_are_wrong(self):
        self.refused("PBS job 1, but PBS_NODEFILE is not set", "unset PBS_JOBID", PBS_JOBID="1")
        self.bad_files("PBS_NODEFILE", "a b\n", "-x\n", "a,b\n", PBS_JOBID="1")

    def test_lsf_by_its_variable(self):
        self.assertEqual(self.hosts(LSB_JOBID="3", LSB_MCPU_HOSTS="a 4 b.net 2 "),
                         [Host("a", 4, 4), Host("b.net", 2, 2)])
        for text in ("a", "a 4 b", "a b", "a -1", "4 a"):
            with self.subTest(text):
                self.refused("LSB_MCPU_HOSTS has", LSB_JOBID="3", LSB_MCPU_HOSTS=text)
        self.refused("neither LSB_MCPU_HOSTS nor", LSB_JOBID="3", LSB_MCPU_HOSTS=" ")

    def test_lsf_by_its_file(self):
        self.path.write_text("a\na\nb\n")
        self.assertEqual(self.hosts(LSB_JOBID="3", LSB_DJOB_HOSTFILE=str(self.path)),
                         [Host("a", 2, 2), Host("b", 1, 1)])
        self.bad_files("LSB_DJOB_HOSTFILE", "a 2\n", LSB_JOBID="3")

    def test_lsf_launch_host(self):
        job = {"LSB_JOBID": "3", "LSB_MCPU_HOSTS": "batch1 1 n1 42 n2 42"}
        self.assertEqual(len(self.hosts(**job)), 3)
        self.tool("jsrun")
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertEqual(self.hosts(**job), [Host("n1", 42, 42), Host("n2", 42, 42)])
        self.assertIn("batch1, from which jsrun launches, gets no rank", said.getvalue())
        self.assertEqual(len(self.hosts(LSB_JOBID="3", LSB_MCPU_HOSTS="a 1 b 1")), 2)

    def test_grid_engine(self):
        self.path.write_text("n1.hpc.org 8 all.q@n1.hpc.org <NULL>\nn2 4 all.q@n2 UNDEFINED\n"
                             "n2 2 short.q@n2 0,1:0,2\n")
        env = {"JOB_ID": "9", "SGE_ROOT": "/opt/sge", "NSLOTS": "14"}
        self.assertEqual(self.hosts(**env, PE_HOSTFILE=str(self.path)),
                         [Host("n1.hpc.org", 8, 8), Host("n2", 6, 6)])
        self.bad_files("PE_HOSTFILE", "a\n", "a x q\n", "a 0 q <NULL>\n", **env)
        # A job of no parallel environment.
        self.assertEqual(self.hosts(**env | {"NSLOTS": "1"}), [Host(socket.gethostname(), 1, 1)])

    def test_flux(self):
        self.refused("flux getattr hostlist gives no list", FLUX_URI="local:///x")
        self.tool("flux", 'case "$1" in getattr) echo "n[1-2],m" ;; *) echo 24 ;; esac')
        self.assertEqual(self.hosts(FLUX_URI="local:///x"),
                         [Host("n1", 8, 8), Host("n2", 8, 8), Host("m", 8, 8)])
        self.tool("flux", '[ "$1" = getattr ] && echo n1')  # one that knows no cores
        self.assertEqual(self.hosts(FLUX_URI="local:///x", SLURM_JOB_ID="7"), [Host("n1")])
        self.assertIsNone(allocations.allocation({"FLUX_URI": "x", "FLUX_TASK_RANK": "0"}))

    def test_names_of_flux(self):
        for text, names in (("n[08-10,3]x,m.net", "n08x n09x n10x n3x m.net"), ("a", "a"),
                            ("", ""), ("n[1-", ""), ("n[1-2][3]", ""), ("n[1-999999999]", ""),
                            ("n[2-1]", ""), ("a b", "")):
            with self.subTest(text):
                self.assertEqual(allocations.expand_names(text), names.split())

    def test_agents(self):
        lsf = {"LSB_JOBID": "3", "LSB_MCPU_HOSTS": "a 4 b 2"}
        self.assertEqual(allocations.allocation(lsf).agent, "")
        self.tool("blaunch")
        self.assertEqual(allocations.allocation(lsf).agent, "blaunch")


class PlaceTest(unittest.TestCase):
    def place(self, most, threads, *of_job, **cores):
        answers = {name: answer(count) for name, count in cores.items()}
        return hosts.place_in_job(most, list(of_job), threads, answers)

    def test_all_of_the_job(self):
        job = (Host("a", 4, 8), Host("b", 2, 4))
        self.assertEqual(self.place(99, None, *job, a=64, b=64), ({"a": 4, "b": 2}, 2))
        # One rank of NCPUS=8 threads each, as where nobody has asked for ompthreads.
        self.assertEqual(self.place(99, None, Host("a", 4, 32), a=8), ({"a": 4}, 2))

    def test_no_idle_ranks(self):
        job = (Host("a", 4, 4), Host("b", 4, 4), Host("c", 1, 1))
        self.assertEqual(self.place(5, None, *job, a=4, b=4, c=4), ({"a": 2, "b": 2, "c": 1}, 1))
        self.assertEqual(self.place(2, None, *job, a=4, b=4, c=4), ({"a": 1, "b": 1}, 4))

    def test_threads_as_asked(self):
        self.assertEqual(self.place(99, 4, Host("a", 8, 8), a=8), ({"a": 2}, 4))
        self.assertEqual(self.place(99, None, Host("a"), a=6), ({"a": 6}, 1))


# What an agent of a cluster does, here: the host's answer is this machine's.
AGENT = """echo "${0##*/} $*" >>%s/asked
while [ "$1" != python3 ]; do shift; done; exec "$@" """


class StartTest(FakeProjectTest):
    """The launcher in such a job: which words it starts mpirun with."""

    def setUp(self):
        super().setUp()
        self.tool("mpirun", 'echo "mpirun $*"; echo "agent $OMPI_MCA_plm_rsh_agent"')
        for name in ("ssh", "blaunch", "qrsh"):
            self.tool(name, AGENT % self.folder)
        self.path = self.folder / "nodes"

    def environment(self, **more):
        job = re.compile(r"(PBS|LSB|SGE|FLUX|SLURM|OMPI_MCA)_|(JOB_ID|NSLOTS|PE_HOSTFILE)$")
        return {key: value for key, value in super().environment(**more).items()
                if key in more or not job.match(key)}

    def start(self, *words, status=0, **env):
        done = self.launch("train", *words, **env)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def asked(self):
        lines = (self.folder / "asked").read_text().splitlines()
        return {line.split(" python3 ")[0] for line in lines}

    def test_pbs(self):
        self.path.write_text("n1.hpc.org\nn2.hpc.org\n")
        job = {"PBS_JOBID": "12.s", "PBS_NODEFILE": str(self.path)}
        out = self.start("-np", "2", **job)
        self.assertIn("mpirun --host n1.hpc.org:1,n2.hpc.org:1 -np 2 ", out)
        self.assertIn(" train --threads 1", out)
        self.assertNotIn("--leave-session-attached", out)
        self.assertTrue(any(line.endswith(" n1.hpc.org") for line in self.asked()), self.asked())
        text = self.start("-np", "3", status=2, **job)
        self.assertEqual(text, "lockstep: -np is 3, but the PBS job 12.s around has room for 2 of "
                         "1 thread; ask for fewer, or leave the job (unset its variables)\n")

    def test_lsf(self):
        out = self.start(LSB_JOBID="3", LSB_MCPU_HOSTS="a 1 b 1")
        self.assertIn("mpirun --host a:1,b:1 -np 2 --leave-session-attached ", out)
        self.assertIn("\nagent blaunch\n", out)
        self.assertEqual(self.asked(), {"blaunch a", "blaunch b"})

    def test_grid_engine(self):
        self.path.write_text("a 1 all.q@a <NULL>\nb 1 all.q@b <NULL>\n")
        out = self.start("--interface", "ib0", JOB_ID="9", SGE_ROOT="/opt/sge", NSLOTS="2",
                         PE_HOSTFILE=str(self.path))
        self.assertIn("mpirun --host a:1,b:1 -np 2 --leave-session-attached ", out)
        self.assertIn("--mca ras ^gridengine ", out)
        self.assertIn("--mca btl_tcp_if_include ib0 ", out)
        self.assertEqual(self.asked(), {"qrsh -inherit -V a", "qrsh -inherit -V b"})

    def test_flux(self):
        self.tool("flux", 'case "$1" in getattr) echo "n[1-2]" ;; *) echo 2 ;; esac')
        self.assertIn("mpirun --host n1:1,n2:1 -np 2 ", self.start(FLUX_URI="local:///x"))

    def test_a_job_of_this_host_alone(self):
        job = {"LSB_JOBID": "3", "LSB_MCPU_HOSTS": f"{socket.gethostname()} 1"}
        self.assertIn("program train --threads 1", self.start(**job))
        self.assertIn("has room for 1 of 1 thread", self.start("-np", "2", status=2, **job))

    def test_hosts_of_the_user_come_first(self):
        out = self.start("--hosts", "c:1,d:1", LSB_JOBID="3", LSB_MCPU_HOSTS="a 1 b 1")
        self.assertIn("mpirun --host c:1,d:1 -np 2 ", out)
        self.assertTrue(all(line.startswith("ssh ") for line in self.asked()), self.asked())

    def test_hosts_that_are_not_reached(self):
        self.tool("ssh", "echo 'Permission denied (publickey)' >&2; exit 255")
        self.path.write_text("a\nb\n")
        text = self.start(status=2, PBS_JOBID="1", PBS_NODEFILE=str(self.path))
        self.assertRegex(text, r"(?m)^lockstep: a: not reached: Permission denied \(publickey\); this "
                         r"must work: ssh .* a python3 --version\nlockstep: b: ")

    def test_files_that_are_wrong(self):
        text = self.start(status=2, PBS_JOBID="1", PBS_NODEFILE=str(self.folder / "absent"))
        self.assertRegex(text, r"\Alockstep: this is a process of PBS job 1, but PBS_NODEFILE, "
                         r"\S+/absent, cannot be read: No such file or directory; type [^\n]*\n\Z")

    def test_other_commands_need_no_job(self):
        done = self.launch("inspect", "x", PBS_JOBID="1")
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
