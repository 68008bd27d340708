"""A real Slurm with several pretended nodes on this machine, in a folder of its own: its
own munged, slurmctld and a slurmd for each node. Needs root. Ends all that it started."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue", "scancel")
START_SECONDS = 400

# A daemon of a busy machine may not answer for long, which must not end or requeue a job; that
# a node is lost is said by kill_node().
CONFIGURATION = """\
ClusterName=mini
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket={folder}/munge.sock
SlurmctldPort={port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
TmpFS={folder}/tmp.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=3000
MessageTimeout=100
BatchStartTimeout=3000
TCPTimeout=60
KillWait=30
JobRequeue=1
SchedulerParameters=batch_sched_delay=0,sched_interval=1
{settings}
NodeName={names} NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{last}] CPUs={cpus}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP GraceTime=3000
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10
"""


ENDED = ("COMPLETED", "FAILED", "CANCELLED", "NODE_FAIL", "TIMEOUT")


def ended(job):
    """Whether a job, as job() gives it, runs no more and is not in the queue."""
    return job.get("JobState") in ENDED


def missing_programs():
    """What is not installed of what a MiniSlurm needs."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [name for name in PROGRAMS if shutil.which(name, path=path) is None]


def _free_ports(count):
    """As many ports in a row as nobody listens on now, and a socket that keeps other tests from
    them until it is closed."""
    for first in range(27000, 32000, count + 1):
        claim = socket.socket(socket.AF_UNIX)
        sockets = []
        try:
            claim.bind(f"\0mini-slurm-{first}")
            for port in range(first, first + count):
                sockets.append(socket.create_server(("127.0.0.1", port)))
            return first, claim
        except OSError:
            claim.close()
        finally:
            for each in sockets:
                each.close()
    raise RuntimeError("no free ports")


class MiniSlurm:
    """Up between start() and stop(); environment() is for its commands and its jobs. A node that
    is alone has this host's name, so that mpirun needs no daemon there. `before` are words before
    each node's daemon, as of a container, `settings` more lines of its configuration."""

    def __init__(self, nodes, cpus=2, before=(), settings=""):
        self.nodes = nodes
        self._host = socket.gethostname().split(".")[0]
        self._cpus = cpus
        self._settings = settings
        self._before = before
        self._daemons = {}
        self._folder = None
        self._claim = None

    def environment(self):
        """With it sbatch, srun and the like talk to this Slurm. The nodes share a host
        name, so that Open MPI's shared memory must not be used between ranks."""
        return os.environ | {
            "SLURM_CONF": str(self._folder / "slurm.conf"),
            "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin",
            "OMPI_MCA_btl": "self,tcp", "OMPI_MCA_pml": "ob1", "OMPI_MCA_btl_tcp_if_include": "lo",
            "OMPI_MCA_btl_base_warn_component_unused": "0",
        }

    def start(self):
        """Returns when every node is idle."""
        self._folder = Path(tempfile.mkdtemp(prefix="mini-slurm-"))
        folder = self._folder
        (folder / "state").mkdir()
        for node in self._names():
            (folder / f"spool.{node}").mkdir()
            (folder / f"tmp.{node}").mkdir()
        first, self._claim = _free_ports(self.nodes + 1)
        (folder / "slurm.conf").write_text(CONFIGURATION.format(
            host=self._host, folder=folder, names=",".join(self._names()), cpus=self._cpus,
            port=first, first=first + 1, last=first + self.nodes, settings=self._settings))
        key = folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        self._launch("munged", ["munged", "--foreground", "--force", f"--key-file={key}",
                                f"--socket={folder}/munge.sock", f"--pid-file={folder}/munge.pid",
                                f"--log-file={folder}/munge.log", f"--seed-file={folder}/seed"])
        self._await((folder / "munge.sock").exists)
        self._launch("slurmctld", ["slurmctld", "-D", "-f", str(folder / "slurm.conf"), "-c"])
        for node in self._names():
            self.start_node(node)
        self.await_nodes()

    def await_nodes(self):
        """Returns when every node is idle."""
        self._await(lambda: self.node_states() == ["idle"] * self.nodes)

    def start_node(self, node):
        """A node's daemon; again after kill_node()."""
        self._launch(node, [*self._before, "slurmd", "-D", "-f", str(self._folder / "slurm.conf"),
                            "-N", node])

    def node_states(self):
        """By node, as sinfo says: idle, alloc, down*, ..."""
        done = self.run("sinfo", "--noheader", "--Node", "--partition=main", "--format=%T",
                        check=False)
        return done.stdout.split()

    def kill_node(self, node):
        """Kills a node's daemon and everything below it, as a power cut would, and tells Slurm."""
        daemon = self._daemons.pop(node)
        log = self._folder / f"slurmd.{node}.log"
        steps = [pid for pid in _all_processes() if log in _logs_of_step(pid)]
        doomed = [daemon.pid, *steps, *_descendants([daemon.pid, *steps])]
        for pid in doomed:
            _send(pid, signal.SIGKILL)
        daemon.wait()
        self.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=lost")

    def run(self, *words, check=True, cwd=None, **environment):
        """A command of Slurm, or any other that talks to it."""
        return subprocess.run(list(map(str, words)), env=self.environment() | environment, cwd=cwd,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=START_SECONDS, check=check)

    def job(self, number):
        """What scontrol knows of a job, by name; empty when it is forgotten."""
        done = self.run("scontrol", "--oneliner", "show", "job", number, check=False)
        return dict(word.split("=", 1) for word in done.stdout.split() if "=" in word)

    def await_job(self, number, condition, seconds=500):
        """The job as soon as the condition holds for it; the last one seen after `seconds`. One
        that goes back to the queue starts again soon."""
        end = time.monotonic() + seconds
        hastened = "0"
        while not condition(job := self.job(number)) and time.monotonic() < end:
            if job.get("Reason") == "BeginTime" and job.get("Restarts") != hastened \
                    and not self._has_steps(job["JobId"]):
                # Slurm lets it wait until its old credential has expired, but needs only one
                # that is of a later second than the end of the job, and that what its steps
                # left behind under their numbers is gone.
                hastened = job.get("Restarts")
                self.run("scontrol", "update", f"JobId={number}", "StartTime=now+2", check=False)
            time.sleep(0.1)
        return job

    def logs(self):
        """The ends of the daemons' logs, for the message of a test that failed."""
        parts = [f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}"
                 for path in sorted(self._folder.glob("*.log"))]
        return "\n".join(parts)

    def stop(self):
        """Cancels what runs, ends the daemons and removes their folder."""
        if self._folder is None:
            return
        if "slurmctld" in self._daemons:
            jobs = self.run("squeue", "--noheader", "--format=%A", check=False).stdout.split()
            for job in set(jobs):
                self.run("scancel", job, check=False)
            deadline = time.monotonic() + 15
            while jobs and time.monotonic() < deadline:
                time.sleep(0.2)
                jobs = self.run("squeue", "--noheader", "--format=%A", check=False).stdout.split()
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self._daemons = {}
        for pid in _all_processes():  # steps of jobs that did not end
            if any(log.parent == self._folder for log in _logs_of_step(pid)):
                _send(pid, signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None
        if self._claim:
            self._claim.close()

    def _has_steps(self, job):
        """Whether a daemon of a job's step is still there."""
        title = f"slurmstepd: [{job}.".encode()
        return any(_command_line(pid).startswith(title)
                   and any(log.parent == self._folder for log in _logs_of_step(pid))
                   for pid in _all_processes())

    def _names(self):
        if self.nodes == 1:
            return [self._host]
        return [f"n{number}" for number in range(1, self.nodes + 1)]

    def _launch(self, name, words):
        with open(self._folder / f"{name}.out.log", "ab") as log:
            self._daemons[name] = subprocess.Popen(
                words, env=self.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)

    def _await(self, condition):
        end = time.monotonic() + START_SECONDS
        while not condition():
            dead = [name for name, daemon in self._daemons.items() if daemon.poll() is not None]
            if dead or time.monotonic() > end:
                raise RuntimeError(f"Slurm did not start ({dead} ended)\n{self.logs()}")
            time.sleep(0.1)


def _all_processes():
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _command_line(pid):
    """With a NUL after each word; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _logs_of_step(pid):
    """The files that a slurmstepd has open, its node's log among them; none for others."""
    try:
        if not _command_line(pid).startswith(b"slurmstepd"):
            return []
        folder = Path(f"/proc/{pid}/fd")
        return [Path(os.readlink(folder / name)) for name in os.listdir(folder)]
    except OSError:
        return []


def _descendants(pids):
    found = []
    for pid in pids:
        try:
            children = [int(word) for path in Path(f"/proc/{pid}/task").glob("*/children")
                        for word in path.read_text().split()]
        except OSError:
            continue
        found += [*children, *_descendants(children)]
    return found


def _send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
