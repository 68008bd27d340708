"""Trainings in jobs of schedulers that are not here: their variables and host files are as they
make them, the programs by which they reach a host are stand-ins, the hosts network namespaces."""

import os
import subprocess
import sys
import unittest
import unittest.mock

from hosts_case import ROOT, HostsTest, tool

sys.path.insert(0, str(ROOT / "launcher"))

from interfaces import interface_words  # noqa: E402

# What all of them do once their own options are taken away.
AGENT = 'exec "$AGENT_OF_HOSTS" "$@"'


class SchedulersTest(HostsTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        tools = cls.shared / "tools"
        tool(tools, "ssh", 'while :; do case $1 in -o) shift 2;; -*) shift;; *) break;; esac; done\n'
             + AGENT)
        tool(tools, "blaunch", AGENT)
        tool(tools, "qrsh", f'[ "$1 $2" = "-inherit -V" ] || exit 9; shift 2; {AGENT}')
        cls.few = ("--set", "training.epochs=1")
        cls.expected = None

    @classmethod
    def environment(cls):
        env = super().environment()
        # Open MPI's own support of Grid Engine would look for its programs there.
        own = ("PBS_", "LSB_", "SGE_", "SLURM_", "FLUX_")
        env = {key: value for key, value in env.items() if not key.startswith(own)}
        return env | {"AGENT_OF_HOSTS": env.pop("OMPI_MCA_plm_rsh_agent")}

    def check(self, name, ranks, *words, **job):
        """The job uses all that it has, and has the weights of one process."""
        cls = type(self)
        cls.expected = cls.expected or self.expected_digest(*self.few)
        run = self.shared / "runs" / name
        process = self.start("train", self.config, "--run-dir", run, *self.few,
                             "--oversubscribe", *words, **job)
        output, errors = process.communicate(timeout=400)
        self.assertEqual(process.returncode, 0, errors)
        self.assertIn(f"{ranks} ranks", output)
        self.assertIn(f"weights xxh3:{self.expected}\n", output)

    def network_words(self):
        """The launcher's where nobody has said anything to Open MPI."""
        with unittest.mock.patch.dict(os.environ, self.environment(), clear=True):
            return interface_words(None)

    def file(self, text):
        path = self.shared / "host-file"
        path.write_text(text)
        return str(path)

    def test_pbs(self):
        nodes = self.file("na\nnb\n")
        self.check("pbs", 2, "--threads", 2, PBS_JOBID="1.s", PBS_NODEFILE=nodes, NCPUS="2")
        nodes = self.file("na\nnb\nna\n")
        self.check("torque", 3, PBS_JOBID="2.s", PBS_NODEFILE=nodes)

    def test_lsf(self):
        self.check("lsf", 4, LSB_JOBID="3", LSB_MCPU_HOSTS="na 2 nb 2")

    def test_grid_engine(self):
        nodes = self.file("na 2 all.q@na <NULL>\nnb 1 all.q@nb <NULL>\n")
        self.check("sge", 3, JOB_ID="4", SGE_ROOT="/opt/sge", ARC="lx-amd64", NSLOTS="3",
                   PE_HOSTFILE=nodes)

    def test_flux(self):
        tool(self.shared / "tools", "flux", 'case $1 in getattr) echo na,nb;; *) echo 2;; esac')
        self.check("flux", 2, FLUX_URI="local:///x")

    def test_networks_that_each_host_has_for_itself(self):
        """Both hosts have docker0 with one address; without these words the job hangs."""
        for host in ("na", "nb"):
            for words in (("link", "add", "docker0", "type", "bridge"),
                          ("addr", "add", "172.17.0.1/16", "dev", "docker0"),
                          ("link", "set", "docker0", "up")):
                self.net.on(host, "ip", *words)
            self.addCleanup(self.net.on, host, "ip", "link", "del", "docker0")
        words = ["mpirun", "--host", "na:1,nb:1", "-np", "2", "--mca", "plm", "rsh",
                 "--mca", "pml", "ob1", "--mca", "btl", "self,vader,tcp", *self.network_words(),
                 self.program, "train", "--threads", "1", self.config, "--run-dir",
                 self.shared / "runs" / "docker", *self.few]
        env = self.environment()
        done = subprocess.run(
            [*self.net.entry("na"), *map(str, words)], cwd=self.shared, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=400, check=False,
            env=env | {"OMPI_MCA_plm_rsh_agent": env["AGENT_OF_HOSTS"],
                       "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.digest_of(done), self.expected_digest(*self.few))


if __name__ == "__main__":
    unittest.main()
