"""Where ranks run: recorded in the run folder, and all the same program, experiment and
kind of processor; a warning where ranks share a core for no reason."""

import json
import os
import shutil
import socket
import subprocess
import unittest

from lockstep_run import BINARY, MPIRUN, TIME_LIMIT_SECONDS, LockstepTest

EXIT_USAGE = 2
HOST = socket.gethostname()


class PlacesTest(LockstepTest):
    def run_ranks(self, *ranks, run="run"):
        """Runs a job of one rank for each list of words: words before the binary, the
        binary, and words after the usual arguments."""
        arguments = ["train", self.experiment, "--run-dir", self.folder / run, "--threads", 1,
                     "--set", "training.epochs=1"]
        words = []
        for before, binary, after in ranks:
            words += [":", "-np", "1", *before, binary, *arguments, *after]
        words = [*MPIRUN, *map(str, words[1:])]
        return subprocess.run(words, cwd=self.folder, env=self.environment(),
                              capture_output=True, text=True, timeout=TIME_LIMIT_SECONDS)

    def assert_refused(self, done, pattern):
        self.assertEqual(done.returncode, EXIT_USAGE, done.stderr)
        self.assertRegex(done.stderr, rf"\Alockstep: {pattern}\n\Z")
        self.assertFalse((self.folder / "run").exists())

    def test_ranks_with_another_build(self):
        other = self.folder / "other"
        shutil.copy(BINARY, other)
        with other.open("ab") as file:
            file.write(b"\0")  # after what the loader reads
        done = self.run_ranks(((), BINARY, ()), ((), other, ()), ((), other, ()))
        self.assert_refused(
            done, rf"rank 1 on {HOST} \(xxh3:[0-9a-f]{{32}}\), rank 2 on {HOST} .* have another "
            rf"build than rank 0 on {HOST} \(xxh3:[0-9a-f]{{32}}\); copy one .*")

    def test_a_rank_with_another_experiment(self):
        done = self.run_ranks(((), BINARY, ()), ((), BINARY, ()),
                              ((), BINARY, ("--set", "seed=8")))
        self.assert_refused(done, rf"rank 2 on {HOST} .* has another experiment than rank 0 .*")

    def test_a_rank_with_another_kind_of_processor(self):
        done = self.run_ranks(((), BINARY, ()), (("-x", "ATEN_CPU_CAPABILITY=default"), BINARY, ()))
        self.assert_refused(
            done, rf"rank 1 on {HOST} \(.*ATen DEFAULT\) has another kind of processor than .*")

    def test_ranks_on_one_core(self):
        cores = sorted(os.sched_getaffinity(0))
        first, last = cores[0], cores[-1]

        def warnings(*bound):
            done = self.run_ranks(*((("taskset", "-c", str(core)), BINARY, ()) for core in bound),
                                  run=f"bound-{len(bound)}-{bound[-1]}")
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stderr

        if len(cores) > 1:
            self.assertRegex(
                warnings(first, first),
                rf"\Alockstep: 2 ranks on {HOST} \(0-1\) are bound to core {first} of its "
                rf"{len(cores)}; .*--map-by slot:PE=.*\n\Z")
            self.assertEqual(warnings(first, last), "")
            if len(cores) == 2:  # more ranks than cores: there is no better place
                self.assertEqual(warnings(first, last, first), "")

    def test_the_record(self):
        core = min(os.sched_getaffinity(0))
        done = self.run_ranks(*2 * [(("taskset", "-c", str(core)), BINARY, ())], run="recorded")
        self.assertEqual(done.returncode, 0, done.stderr)
        record = json.loads((self.folder / "recorded" / "environment.json").read_text())
        self.assertEqual(record["hosts_by_rank"], [HOST, HOST])
        self.assertEqual([place["host"] for place in record["places"]], [HOST, HOST])
        self.assertEqual([place["rank_on_node"] for place in record["places"]], [0, 1])
        self.assertEqual([place["cores"] for place in record["places"]], [str(core)] * 2)
        self.assertRegex(record["build"], r"^xxh3:[0-9a-f]{32}$")
        page = (self.folder / "recorded" / "report.html").read_text()
        self.assertIn(f"{HOST}, rank 1 there, cores {core}, ", page)


if __name__ == "__main__":
    unittest.main()
