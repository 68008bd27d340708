"""The values and plans of sweeps, and how their runs are packed on the cores."""

import os
import signal
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "launcher"))

import job  # noqa: E402
import sweep_plan  # noqa: E402
import sweep_pool  # noqa: E402
import sweep_runs  # noqa: E402
import sweep_values  # noqa: E402
from console import LauncherError  # noqa: E402
from stop_requests import StopRequests  # noqa: E402


def values(text):
    return list(sweep_values.parse_setting(text).values)


class ValuesTest(unittest.TestCase):
    def test_lists_and_ranges(self):
        self.assertEqual(values("a=1e-3,3e-3, 1e-2"), ["1e-3", "3e-3", "1e-2"])
        self.assertEqual(values("seed=1:5"), ["1", "2", "3", "4", "5"])
        self.assertEqual(values("seed=1:9:2"), ["1", "3", "5", "7", "9"])
        self.assertEqual(values("seed=0:9:4"), ["0", "4", "8"])
        self.assertEqual(values("seed=-1:1,7"), ["-1", "0", "1", "7"])
        self.assertEqual(values("data.train.path=a:b"), ["a:b"])
        self.assertEqual(values("a=b=c"), ["b=c"])
        self.assertEqual(values("callbacks.early_stopping="), [""])

    def test_commas_within_quotes_and_brackets(self):
        self.assertEqual(values('n="cat,dog","dog,cat"'), ["cat,dog", "dog,cat"])
        self.assertEqual(values("n='1:5'"), ["1:5"])
        self.assertEqual(values('n="",{}'), ["", "{}"])
        self.assertEqual(values("s={a: 1, b: 2},{}"), ["{a: 1, b: 2}", "{}"])
        self.assertEqual(values('s={a: "x,}"},{b: [1, 2]}'), ['{a: "x,}"}', "{b: [1, 2]}"])

    def test_refusals(self):
        for text in ("seed", "=1", "seed=1,1", "seed=1:3,2", "seed=5:1", "seed=1:5:0",
                     "seed=1:2000", "seed=1,,2", "seed=1,", 'n="a', "s={a", "s=a}",
                     "r=log(0,1)", "r=log(1,1)", "r=uniform(2,1)", "r=uniform(a,b)",
                     "r=uniform(0,inf)", "r=log(1e-4,1e-2),5"):
            with self.subTest(text), self.assertRaises(LauncherError) as refused:
                sweep_values.parse_setting(text)
            self.assertEqual(refused.exception.status, 2)
            self.assertTrue(str(refused.exception).startswith(f"--set {text}: "))


class PlanTest(unittest.TestCase):
    def plan(self, *texts, samples=0, seed=1):
        settings = [sweep_values.parse_setting(text) for text in texts]
        return sweep_plan.make_plan("x", settings, samples, seed)

    def test_a_grid_in_order(self):
        plan = self.plan("lr=1e-3,1e-2", "epochs=3", "seed=1:3")
        self.assertEqual(plan.fields, ["lr", "seed"])
        self.assertEqual([run.folder for run in plan.runs],
                         ["000", "001", "002", "003", "004", "005"])
        self.assertEqual(plan.runs[4].values, ["1e-2", "2"])
        self.assertEqual(plan.runs[4].overrides, ["lr=1e-2", "epochs=3", "seed=2"])

    def test_samples_come_again_and_stay_when_more_are_drawn(self):
        texts = ("lr=log(1e-4,1e-2)", "rate=uniform(0,0.5)", "batch=32,64,128", "epochs=3")
        five, nine = self.plan(*texts, samples=5), self.plan(*texts, samples=9)
        self.assertEqual(five.runs, self.plan(*texts, samples=5).runs)
        self.assertEqual(nine.runs[:5], five.runs)
        self.assertNotEqual(self.plan(*texts, samples=5, seed=2).runs, five.runs)
        for run in nine.runs:
            rate, dropout, batch = run.values
            self.assertTrue(1e-4 <= float(rate) <= 1e-2 and 0 <= float(dropout) <= 0.5)
            self.assertIn(batch, ("32", "64", "128"))

    def test_a_logarithmic_draw_takes_each_decade_as_often(self):
        plan = self.plan("lr=log(1e-4,1e-2)", samples=400)
        low = sum(float(run.values[0]) < 1e-3 for run in plan.runs)
        # Of 400 draws with chance 1/2: 200, standard deviation 10.
        self.assertTrue(150 < low < 250, low)
        plan = self.plan("rate=uniform(0,1)", samples=400)
        low = sum(float(run.values[0]) < 0.1 for run in plan.runs)
        self.assertTrue(10 < low < 70, low)  # 40, standard deviation 6

    def test_samples_of_lists_are_all_different(self):
        plan = self.plan("a=1:3", "b=1,2", samples=6)
        self.assertEqual(len({tuple(run.values) for run in plan.runs}), 6)

    def test_refusals(self):
        for texts, samples in ((("seed=1",), 0), ((), 0), (("seed=1:2", "seed=3"), 0),
                               (("lr=log(1,2)",), 0), (("a=1:40", "b=1:40"), 0),
                               (("a=1:3", "b=1,2"), 7)):
            with self.subTest(texts), self.assertRaises(LauncherError) as refused:
                self.plan(*texts, samples=samples)
            self.assertEqual(refused.exception.status, 2)


class PackTest(unittest.TestCase):
    def pack(self, runs, cores, jobs=None, ranks=None, threads=None, lanes=4):
        machine = job.Machine(cores, cores, is_root=False)
        packing = sweep_pool.pack(runs, lanes, machine, jobs, (ranks, threads))
        return packing.jobs, packing.shape.ranks, packing.shape.threads

    def test_one_run_a_core(self):
        self.assertEqual(self.pack(10, 2), (2, 1, 1))
        self.assertEqual(self.pack(100, 16), (16, 1, 1))

    def test_cores_that_would_be_idle_become_threads_up_to_the_lanes(self):
        self.assertEqual(self.pack(3, 8), (3, 1, 2))
        self.assertEqual(self.pack(1, 16), (1, 1, 4))

    def test_what_the_user_says_wins(self):
        self.assertEqual(self.pack(10, 8, jobs=2), (2, 1, 4))
        self.assertEqual(self.pack(10, 8, threads=2), (4, 1, 2))
        self.assertEqual(self.pack(10, 8, ranks=2), (4, 2, 1))
        self.assertEqual(self.pack(10, 2, jobs=5, threads=3), (5, 1, 3))

    def test_places_have_cpus_of_their_own(self):
        cpus = sorted(os.sched_getaffinity(0))
        if job.available_cores() < len(cpus):
            self.skipTest("a quota")
        packing = sweep_pool.Packing(len(cpus), job.Shape(1, 1))
        self.assertEqual(sweep_pool.cpu_lists(packing), [str(cpu) for cpu in cpus])
        packing = sweep_pool.Packing(1, job.Shape(1, len(cpus)))
        self.assertEqual(sweep_pool.cpu_lists(packing), [",".join(map(str, cpus))])
        packing = sweep_pool.Packing(len(cpus) + 1, job.Shape(1, 1))
        self.assertEqual(sweep_pool.cpu_lists(packing), [""] * (len(cpus) + 1))


class OutcomeTest(unittest.TestCase):
    def test_a_run_whose_mpirun_had_no_ranks_is_not_done(self):
        """It ends with 0 where it is told to pass a signal on before it has ranks."""
        start = f"{sweep_runs.START_MARK}, seed=1\n"
        for output, asked, state in ((start, True, "stopped"), (start, False, "stopped"),
                                     (f"weights x\n{start}", True, "stopped"),
                                     (f"{start}weights x\n", True, "done"),
                                     (f"{start}mpirun: Forwarding signal 10 to job\n", True, "stopped")):
            with self.subTest(output, asked=asked), tempfile.TemporaryDirectory() as folder:
                (Path(folder) / sweep_runs.OUTPUT_FILE).write_text(output)
                self.assertEqual(sweep_runs.judge(0, asked, Path(folder), 1.0).state, state)

    def test_a_run_is_not_asked_to_save_after_its_last_lines(self):
        start = f"{sweep_runs.START_MARK}, seed=1\n"
        for output, is_asked in (("", True), (start, True), (f"{start}epoch 1\n", True),
                                 (f"{start}saved in x; go on\n", False),
                                 (f"{start}weights xxh3:1\n", False),
                                 (f"{start}weights xxh3:1\n{start}", True)):
            with self.subTest(output), tempfile.TemporaryDirectory() as folder:
                run_dir = Path(folder, "000")
                run_dir.mkdir()
                (run_dir / sweep_runs.OUTPUT_FILE).write_text(output)
                (run_dir / "cancelled").touch()
                process = mock.Mock(args=[])
                pool = sweep_pool.Pool(Path(folder), "val_loss", {})
                run = sweep_plan.PlannedRun("000", [], [])
                pool._jobs = [sweep_pool._Job(run, 0, process, None, 0.0, 0.0)]
                for pass_on in (lambda: pool._forward(signal.SIGTERM, None),
                                pool._pass_on_cancelling):
                    pool.requests = StopRequests()
                    pool._passed_at = -10.0
                    process.reset_mock()
                    pass_on()
                    self.assertEqual(process.send_signal.called, is_asked)


if __name__ == "__main__":
    unittest.main()
