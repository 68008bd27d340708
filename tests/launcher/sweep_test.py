"""The launcher's sweeps, with a program that ends as it is told to."""

import json
import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path
from unittest import mock

from fake_project import ANSWER_NEEDS, ROOT, FakeProjectTest

sys.path.insert(0, str(ROOT / "launcher"))

import job  # noqa: E402

# Says in its run folder how it was started and on which CPUs; ends as the file of its
# seed in $ENDS says, with a wait for USR1 where that is "wait".
PROGRAM = """#!/bin/sh
    [ "$1" = train ] || { echo "ranking of $2"; exit 0; }
    for word in "$@"; do
      case $word in
        seed=*) seed=${word#seed=};;
        training.lanes=*) lanes=${word#training.lanes=};;
        --needs) [ -z "$ASKED" ] || echo $seed >>$ASKED
                 [ $seed != 13 ] || { echo "lockstep: seed 13 is unlucky" >&2; exit 2; };;
        --run-dir) next=1;;
        *) [ -z "$next" ] || { run_dir=$word; next=; };;
      esac
    done
""" + ANSWER_NEEDS.replace('"lanes": 4', "\"lanes\": '${lanes:-4}'") + """
    echo "$*" >>$run_dir/calls
    echo "training in $run_dir"
    grep Cpus_allowed_list /proc/self/status >$run_dir/cpus
    end=$(cat $ENDS/$seed 2>/dev/null)
    echo '{"kind": "epoch", "val_accuracy": 0.5}' >$run_dir/metrics.jsonl
    if [ "$end" = deaf ]; then  # as before it has come to its handlers
      echo $$ >$run_dir/ready
      exec sleep 1000
    fi
    if [ "$end" = wait ]; then
      trap 'exit 75' USR1
      echo $$ >$run_dir/ready
      i=0; while [ $i -lt 12000 ]; do sleep 0.05; i=$((i + 1)); done
    fi
    [ -z "$end" ] || echo "lockstep: seed $seed ends with $end" >&2
    [ "${end:-0}" -le 128 ] || kill -$((end - 128)) $$
    exit ${end:-0}
"""


def is_running(process):
    """Also false of one that nobody has waited for."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class SweepTest(FakeProjectTest):
    """The launcher as a user starts it."""

    def setUp(self):
        super().setUp()
        (self.folder / "program").write_text(PROGRAM)
        (self.folder / "x.textproto").write_text('name: "tiny"\n')
        self.ends = self.folder / "ends"
        self.ends.mkdir()
        self.out = self.folder / "out"

    def environment(self, **more):
        return super().environment(ENDS=str(self.ends), **more)

    def sweep(self, *words):
        return self.launch("sweep", *words)

    def sweep_seeds(self, seeds, *words):
        return self.sweep("x.textproto", "--set", f"seed={seeds}", "--run-dir", str(self.out),
                          *words)

    def calls(self, run):
        path = self.out / run / "calls"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def state(self, run):
        return json.loads((self.out / run / "outcome.json").read_text())["state"]

    def test_runs_all_and_keeps_the_plan(self):
        result = self.sweep_seeds("1:3", "--set", "training.epochs=2")
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stdout.splitlines()
        self.assertEqual(len(lines), 5)
        self.assertTrue(lines[0].startswith(f"sweep of 3 runs in {self.out}; "))
        self.assertRegex(lines[3], r"^  3 of 3  run 00\d  done      best val_accuracy 0\.5000  ")
        self.assertEqual(lines[4], f"ranking of {self.out}")
        plan = json.loads((self.out / "sweep.json").read_text())
        self.assertEqual(plan["runs"][1], {"folder": "001", "values": ["2"],
                                           "overrides": ["seed=2", "training.epochs=2"]})
        self.assertEqual((self.out / "experiment.textproto").read_text(), 'name: "tiny"\n')
        self.assertIn("--set seed=2 --set training.epochs=2 --run-dir "
                      f"{self.out}/001 --resume auto", (self.out / "001/calls").read_text())

    def test_runs_side_by_side_have_different_cpus(self):
        if job.available_cores() < max(2, len(os.sched_getaffinity(0))):
            self.skipTest("one core, or a quota")
        self.assertEqual(self.sweep_seeds("1:2", "--jobs", "2", "--threads", "1").returncode, 0)
        cpus = {(self.out / run / "cpus").read_text().split()[1] for run in ("000", "001")}
        self.assertEqual(len(cpus), 2)

    def test_a_failed_run_is_named_and_tried_again_alone(self):
        (self.ends / "2").write_text("3")
        (self.ends / "3").write_text("137")
        result = self.sweep_seeds("1:4")
        self.assertEqual(result.returncode, 3)
        self.assertRegex(result.stdout, r"run 001  diverged .*: seed 2 ends with 3\n")
        self.assertRegex(result.stdout, r"run 002  failed .*: killed by signal 9\n")
        self.assertEqual(self.state("003"), "done")
        (self.ends / "2").unlink()
        again = self.sweep_seeds("1:4")
        self.assertEqual(again.returncode, 4)
        self.assertIn(", 2 done already", again.stdout)
        self.assertEqual([self.calls(run) for run in ("000", "001", "002", "003")], [1, 2, 2, 1])

    def test_a_bad_combination_is_found_before_any_runs(self):
        result = self.sweep_seeds("12:14")
        self.assertEqual(result.returncode, 2)
        self.assertEqual(result.stderr.splitlines()[-1],
                         "lockstep: run 001 of 3: seed 13 is unlucky")
        self.assertFalse(self.out.exists())

    def test_listing_runs_nothing(self):
        result = self.sweep_seeds("1:2", "--set", "a=x,y", "--dry-run")
        self.assertEqual(result.returncode, 0)
        self.assertEqual(result.stdout.splitlines()[2], "002  seed=2  a=x")
        result = self.sweep_seeds("1:2", "--print-command")
        self.assertEqual(len(result.stdout.splitlines()), 2)
        self.assertIn(" --set seed=2 --run-dir ", result.stdout.splitlines()[1])
        self.assertFalse(self.out.exists())

    def test_no_run_has_more_threads_than_lanes(self):
        """Those of the sweep, or of the one run that is asked for."""
        cores = job.available_cores()
        words = ("1", "--set", "training.lanes=512,1,2", "--jobs", "1")
        asked = self.folder / "asked"
        with mock.patch.dict(os.environ, ASKED=str(asked)):
            result = self.sweep_seeds(*words)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("; 1 at a time, 1 rank of 1 thread each\n", result.stdout)
            self.assertEqual(asked.read_text().split(), ["1"] * 3)
            for task, lanes in ((0, 512), (1, 1), (2, 2)):
                asked.unlink()
                (self.out / f"00{task}" / "outcome.json").unlink()
                again = self.sweep("--resume", str(self.out), "--task", str(task))
                self.assertEqual(again.returncode, 0, again.stderr)
                self.assertRegex(again.stdout, f" 1 rank of {min(cores, lanes)} threads? each\n")
                self.assertEqual(asked.read_text().split(), ["1"])

    def test_another_sweep_in_the_folder_is_refused(self):
        self.assertEqual(self.sweep_seeds("1:2", "--set", "a=x").returncode, 0)
        for words, difference in (
            (("1:3", "--set", "a=x"), "seed was 1:2 and is 1:3"),
            (("1:2",), "a was x and is not set"),
            (("1:2", "--set", "a=x", "--set", "b=y"), "b was not set and is y"),
            (("1:2", "--set", "a=x", "--samples", "2"), "--samples was 0 and is 2"),
        ):
            result = self.sweep_seeds(*words)
            self.assertEqual(result.returncode, 2)
            self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
            self.assertIn(f"holds another sweep: {difference}; ", result.stderr)
        (self.folder / "x.textproto").write_text('name: "tiny" seed: 2\n')
        self.assertIn("the experiment's file differs",
                      self.sweep_seeds("1:2", "--set", "a=x").stderr)

    def test_a_task_runs_one_run_of_the_plan(self):
        (self.ends / "2").write_text("3")
        self.assertEqual(self.sweep_seeds("1:3").returncode, 3)
        (self.ends / "2").unlink()
        result = self.sweep("--resume", str(self.out), "--task", "1", "-np", "1")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual([self.calls(run) for run in ("000", "001", "002")], [1, 2, 1])
        self.assertNotIn("ranking", result.stdout)

    def submitted(self, *words):
        """The script that a stand-in for sbatch was given; the result."""
        self.tool("sbatch", f'shift; cp "$1" {self.folder}/script; echo "77;cluster"')
        result = self.sweep(*words, "--slurm")
        script = self.folder / "script"
        return script.read_text() if script.exists() else "", result

    def test_an_array_of_slurm_jobs(self):
        words = ("x.textproto", "--set", "seed=1:3", "--run-dir", str(self.out))
        printed = self.sweep(*words, "--slurm", "--print", "--threads", "2", "--time", "5",
                             "--partition", "fast", "--jobs", "2", "--sbatch=--account=x")
        self.assertEqual(printed.returncode, 0, printed.stderr)
        lines = printed.stdout.splitlines()
        for option in ("--job-name=tiny-sweep", "--nodes=1", "--ntasks-per-node=1", "--requeue",
                       "--cpus-per-task=2", "--time=5", "--partition=fast", "--array=0-2%2",
                       "--account=x", f"--output={self.out}/slurm-%a.log",
                       "--signal=B:USR1@100"):
            self.assertIn(f"#SBATCH {option}", lines)
        self.assertIn(f"words=({self.project}/launcher/lockstep sweep --resume {self.out} -np 1 "
                      '--threads 2 --task "$SLURM_ARRAY_TASK_ID")', lines)
        self.assertFalse(self.out.exists())
        script, result = self.submitted(*words)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("job 77, an array of 3 runs", result.stderr)
        self.assertIn("#SBATCH --array=0-2\n", script)
        self.assertEqual((self.out / "slurm.sh").read_text(), script)
        self.assertEqual(self.calls("000"), 0)

    def test_without_slurm_nothing_is_built(self):
        result = self.launch("sweep", "x.textproto", "--set", "seed=1:2", "--slurm",
                             PATH=str(self.tools))
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, "lockstep: no sbatch here: this is not a host of a Slurm "
                                        "cluster\n")
        self.assertFalse((self.folder / "ninja.log").exists())

    def test_the_script_runs_its_task_and_only_open_ones_are_submitted(self):
        words = ("x.textproto", "--set", "seed=1:4", "--run-dir", str(self.out))
        script, _ = self.submitted(*words)
        (self.ends / "3").write_text("3")
        for task, status in (("1", 0), ("2", 3)):
            job = subprocess.run(["bash", "-c", script], capture_output=True, text=True,
                                 env=self.environment(SLURM_ARRAY_TASK_ID=task, SLURM_JOB_ID="8",
                                                      SLURM_ARRAY_JOB_ID="7"), check=False)
            self.assertEqual(job.returncode, status, job.stderr)
        self.assertEqual([self.calls(f"00{run}") for run in range(4)], [0, 1, 1, 0])
        script, _ = self.submitted("--resume", str(self.out))
        self.assertIn("#SBATCH --array=0,2,3\n", script)

    def test_a_task_that_is_told_to_save_goes_back_to_the_queue(self):
        script, _ = self.submitted("x.textproto", "--set", "seed=1:2", "--run-dir", str(self.out))
        self.tool("scontrol", f'echo "$@" >{self.folder}/scontrol')
        (self.ends / "2").write_text("wait")
        job = subprocess.Popen(["bash", "-c", script], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL,
                               env=self.environment(SLURM_ARRAY_TASK_ID="1", SLURM_JOB_ID="8",
                                                    SLURM_ARRAY_JOB_ID="7"))
        self.addCleanup(job.kill)
        while not (self.out / "001" / "ready").exists():
            self.assertIsNone(job.poll())
            time.sleep(0.02)
        job.send_signal(signal.SIGUSR1)  # as Slurm does before the time limit
        self.assertEqual(job.wait(timeout=200), 75)
        self.assertEqual((self.folder / "scontrol").read_text(), "requeue 7_1\n")
        self.assertEqual(self.state("001"), "saved")

    def test_usage_errors_are_one_line(self):
        for words in ([], ["x.textproto"], ["x.textproto", "--set", "seed=1"], ["--jobs", "0"],
                      ["absent", "--set", "seed=1:2"], ["--resume", str(self.out)],
                      ["x.textproto", "--resume", str(self.out)], ["--task", "1"], ["--jobz", "1"],
                      ["x.textproto", "--set", "seed=1:2", "--time", "5"],
                      ["x.textproto", "--set", "seed=1:2", "--slurm", "--print", "--time", "x"],
                      ["x.textproto", "--set", "seed=1:2", "--run-dir", str(self.folder)]):
            with self.subTest(words):
                result = self.sweep(*words)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
                self.assertTrue(result.stderr.startswith("lockstep: "))

    def start(self, count, end="wait"):
        """A sweep of runs that wait, two of them at a time."""
        for seed in range(1, count + 1):
            (self.ends / str(seed)).write_text(end)
        process = subprocess.Popen(
            [sys.executable, self.project / "launcher" / "lockstep", "sweep", "x.textproto",
             "--set", f"seed=1:{count}", "--run-dir", self.out, "--jobs", "2"],
            env=self.environment(), cwd=self.folder, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        while not all((self.out / run / "ready").exists() for run in ("000", "001")):
            self.assertIsNone(process.poll())
            time.sleep(0.02)
        return process

    def test_the_first_signal_lets_all_save_and_the_sweep_goes_on_later(self):
        process = self.start(3)
        busy = self.sweep("--resume", str(self.out))
        self.assertEqual(busy.returncode, 2)
        self.assertIn("another sweep runs in this folder", busy.stderr)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does for Ctrl-C
        output = process.stdout.read()
        self.assertEqual(process.wait(timeout=200), 75, output)
        self.assertEqual([self.state(run) for run in ("000", "001")], ["saved", "saved"])
        self.assertEqual(self.calls("002"), 0)
        self.assertIn(f"sweep --resume {self.out} goes on", output)
        for seed in (1, 2, 3):
            (self.ends / str(seed)).unlink()
        self.assertEqual(self.sweep("--resume", str(self.out)).returncode, 0)
        self.assertEqual([self.calls(run) for run in ("000", "001", "002")], [2, 2, 1])

    def cancel_both(self):
        for run in ("000", "001"):
            (self.out / run / "cancelled").touch()  # as `cancel` does

    def test_a_run_that_is_cancelled_before_it_has_begun_did_not_fail(self):
        process = self.start(2, "deaf")
        self.cancel_both()
        output = process.stdout.read()
        self.assertEqual(process.wait(timeout=200), 75, output)
        self.assertEqual([self.state(run) for run in ("000", "001")], ["stopped", "stopped"])
        self.assertEqual(list(self.out.glob("**/cancelled")), [])

    def test_a_sweep_that_goes_on_here_is_cancelled(self):
        """Though it was an array of Slurm jobs before, which are gone."""
        self.tool("squeue", "exit 0")
        process = self.start(3)
        (self.out / "slurm.json").write_text('{"job": "7"}')
        for run in ("000", "001"):
            (self.out / run / "status.json").write_text(
                json.dumps({"state": "running", "host": os.uname().nodename}))
        result = self.launch("cancel", str(self.out))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 3, result.stderr)
        self.assertEqual(process.wait(timeout=200), 75)
        self.assertEqual([self.state(run) for run in ("000", "001")], ["saved", "saved"])
        self.assertEqual(self.calls("002"), 0)
        self.assertEqual(list(self.out.glob("**/cancelled")), [])

    def test_the_second_ctrl_c_stops_the_runs(self):
        (self.folder / "program").write_text(PROGRAM.replace("'exit 75'", "'echo saving'"))
        process = self.start(2)
        process.send_signal(signal.SIGINT)
        while "saving" not in (self.out / "000" / "output.log").read_text():
            self.assertIsNone(process.poll())
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=200), 128 + signal.SIGINT)
        self.assertEqual(self.state("000"), "stopped")

    def test_a_killed_sweep_takes_its_runs_along_and_can_go_on(self):
        process = self.start(2)
        runs = [int((self.out / run / "ready").read_text()) for run in ("000", "001")]
        process.kill()
        process.wait()
        for run in runs:
            while is_running(run):
                time.sleep(0.02)
        self.assertEqual(self.state("000"), "running")
        for seed in (1, 2):
            (self.ends / str(seed)).unlink()
        again = self.sweep("--resume", str(self.out))
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(self.calls("000"), 2)


if __name__ == "__main__":
    unittest.main()
