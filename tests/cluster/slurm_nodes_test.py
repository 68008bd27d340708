"""Jobs of a real Slurm on nodes that are not as the host where they are submitted: without the
folders behind links, with a part of the CPUs."""

import os
import re
import shutil
import subprocess
import unittest

from built_launcher import launch, launcher_words
from cpu_group import CpuGroup
from lockstep_run import EXPERIMENT, LockstepTest
from mini_slurm import MiniSlurm, ended, missing_programs


class JobsTest(LockstepTest):
    def submit(self, *words, cwd=None, root=None):
        """Submits a training as from a shell in a folder; its job's number."""
        cwd = cwd or self.folder
        done = subprocess.run(
            launcher_words(root or self.folder, "slurm", *words), cwd=cwd, text=True,
            env=self.slurm.environment() | {"PWD": str(cwd)}, stdin=subprocess.DEVNULL,
            capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return re.match(r"job (\d+) in ", done.stderr)[1]

    def check_end(self, job, run, digest):
        """The job ends well; its log."""
        state = self.slurm.await_job(job, ended)
        log = run / "slurm.log"
        text = log.read_text() if log.exists() else ""
        self.assertEqual((state.get("JobState"), state.get("Restarts")), ("COMPLETED", "0"),
                         text + self.slurm.logs())
        self.assertIn(f"weights xxh3:{digest}\n", text)
        return text


@unittest.skipIf(os.geteuid() != 0, "needs root")
@unittest.skipIf(missing_programs(), f"not installed: {missing_programs()}")
class FoldersOfNodesTest(JobsTest):
    """The host has home/u as a link into export, the nodes have the folder itself there."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.exported = cls.folder / "export" / "u"
        cls.home = cls.folder / "home" / "u"
        (cls.exported / "jobs").mkdir(parents=True)
        cls.home.parent.mkdir()
        cls.home.symlink_to(cls.exported)
        for data in (cls.train_csv, cls.test_csv):
            shutil.move(data, cls.exported)
        text = EXPERIMENT % {"train": "train.csv", "test": "test.csv"}
        (cls.exported / "tiny.textproto").write_text(text)
        mounts = (f"mount -t tmpfs tmpfs {cls.home.parent}; mkdir {cls.home}; "
                  f"mount --bind {cls.exported} {cls.home}; "
                  f"mount -t tmpfs tmpfs {cls.exported.parent}; ")
        cls.slurm = MiniSlurm(2, before=["unshare", "--mount", "sh", "-ec", f'{mounts} exec "$@"',
                                         "sh"])
        cls.addClassCleanup(cls.slurm.stop)
        cls.slurm.start()

    def test_relative_paths_below_a_link(self):
        jobs = self.home / "jobs"
        done = launch(self.home, "train", "tiny.textproto", "--run-dir", "expected", "-np", 1)
        digest = self.digest_of(done)
        for name, words in (("one", ()), ("two", ("--nodes", 2)),
                            ("srun", ("--nodes", 2, "--srun")),
                            ("elsewhere", ("--sbatch=--chdir=/",))):
            with self.subTest(name):
                job = self.submit("../tiny.textproto", "--run-dir", f"runs/{name}", *words,
                                  cwd=jobs, root=self.home)
                self.check_end(job, jobs / "runs" / name, digest)


@unittest.skipIf(os.geteuid() != 0, "needs root")
@unittest.skipIf(missing_programs(), f"not installed: {missing_programs()}")
class CpusOfNodesTest(JobsTest):
    def start_slurm(self, **how):
        self.slurm = MiniSlurm(1, **how)
        self.addCleanup(self.slurm.stop)
        self.slurm.start()

    def cpu_group(self):
        """Of one or two CPUs, without the first where there are others."""
        self.cpus = sorted(os.sched_getaffinity(0))[1:][-2:] or [0]
        group = CpuGroup(self.cpus)
        self.addCleanup(group.close)
        return group

    def train_on_a_node(self, name, *words):
        """A job there that says how its ranks are bound; its log."""
        run = self.folder / name
        job = self.submit(self.experiment, "--run-dir", run, *words,
                          "--sbatch=--export=ALL,OMPI_MCA_hwloc_base_report_bindings=1")
        return self.check_end(job, run, self.digest)

    def test_ranks_are_bound_within_the_cpus_of_a_control_group(self):
        self.digest = self.train("expected")
        group = self.cpu_group()
        self.start_slurm(cpus=len(self.cpus) + 1, before=group.words)
        for words in ((), ("--nodes", "1-2")):
            with self.subTest(words):
                log = self.train_on_a_node(f"grouped{len(words)}", *words)
                alone = "is not bound (or bound to all available processors)"
                self.assertIn(f" rank 0 {alone if len(self.cpus) == 1 else 'bound to '}", log)
        log = self.train_on_a_node("shared", "--ranks-per-node", len(self.cpus) + 1)
        self.assertRegex(log, r"lockstep: \d ranks of 1 thread share \d core")
        self.assertNotIn(" bound to socket ", log)

    def test_a_part_of_a_node_that_slurm_keeps_no_job_to(self):
        """Another job may have the same cores, which mpirun does not know."""
        self.digest = self.train("expected-part")
        self.start_slurm(cpus=len(os.sched_getaffinity(0)))
        for words in (("--nodes", "1-2"), ()):
            with self.subTest(words):
                log = self.train_on_a_node(f"part{len(words)}", *words)
                self.assertNotIn(" bound to socket ", log)

    def test_the_launcher_within_a_control_group(self):
        digest = self.train("expected-here")
        group = self.cpu_group()
        words = launcher_words(self.folder, "train", self.experiment, "-np", len(self.cpus) + 1,
                               "--run-dir", self.folder / "here")
        done = subprocess.run([*group.words, *words], cwd=self.folder, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"lockstep: \d ranks of 1 thread share \d core")
        self.assertEqual(self.digest_of(done), digest)


if __name__ == "__main__":
    unittest.main()
