"""Ranks of launchers that Open MPI does not hear, by the variables that they set: each of
several would train alone, so all are refused."""

import subprocess
import unittest

from lockstep_run import BINARY, LockstepTest

SEVERAL = (
    ({"PMI_RANK": "1", "PMI_SIZE": "2"}, "the mpirun of MPICH or Intel MPI as rank 1 of 2"),
    ({"PMI_RANK": "0", "PMI_SIZE": "2"}, "the mpirun of MPICH or Intel MPI as rank 0 of 2"),
    ({"PMI_RANK": "3"}, "the mpirun of MPICH or Intel MPI as rank 3 of several"),
    ({"FLUX_JOB_SIZE": "2", "FLUX_TASK_RANK": "1", "PMI_SIZE": "2"}, "Flux as rank 1 of 2"),
    ({"FLUX_JOB_SIZE": "2"}, "Flux as rank 0 of 2"),
    ({"PALS_RANKID": "1"}, "PALS as rank 1 of several"),
    ({"PALS_RANKID": "0", "PMI_SIZE": "4", "PMI_RANK": "0"}, "PALS as rank 0 of 4"),
    ({"ALPS_APP_PE": "2"}, "ALPS (aprun) as rank 2 of several"),
    ({"MV2_COMM_WORLD_SIZE": "2", "MV2_COMM_WORLD_RANK": "1"}, "MVAPICH2's mpirun as rank 1 of 2"),
    ({"JSM_NAMESPACE_SIZE": "2", "JSM_NAMESPACE_RANK": "1"}, "jsrun as rank 1 of 2"),
    ({"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "RANK": "1"}, "torchrun as rank 1 of 2"),
)
# srun --mpi=pmi2 sets the variables of MPICH's kind too.
SRUN = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1", "PMI_RANK": "1", "PMI_SIZE": "2"}
ALONE = (
    {"PMI_RANK": "0", "PMI_SIZE": "1", "PALS_RANKID": "0", "ALPS_APP_PE": "0",
     "FLUX_JOB_SIZE": "1", "FLUX_TASK_RANK": "0", "MV2_COMM_WORLD_SIZE": "1",
     "JSM_NAMESPACE_SIZE": "1", "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"},
    {"WORLD_SIZE": "2", "RANK": "1", "SLURM_NTASKS": "2", "PMI_SIZE": ""},
)


class OtherLaunchersTest(LockstepTest):
    def run_with(self, variables, *before):
        return subprocess.run(
            [*before, BINARY, "train", self.experiment, "--run-dir", self.folder / "run",
             "--threads", "1", "--dry-run"],
            env=self.environment() | variables, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, check=False)

    def test_one_of_several(self):
        for variables, expected in (*SEVERAL, (SRUN, "srun started 2 tasks without PMIx")):
            with self.subTest(variables=variables):
                done = self.run_with(variables)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(expected, done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                self.assertFalse((self.folder / "run").exists())

    def test_one_alone(self):
        for variables in ALONE:
            with self.subTest(variables=variables):
                done = self.run_with(variables)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_open_mpi_within_another_launcher(self):
        # As its mpirun does where the shell around it is a rank of another: it knows better.
        done = self.run_with(SRUN, "mpirun", "-q", "--oversubscribe", "-np", "1")
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
