"""A run folder is one job's, also on file systems whose locks are of one host, or missing."""

import itertools
import subprocess
import threading
import unittest

from lockstep_run import BINARY, LockstepTest

NO_LOCKS = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=flock", "-e")


class RunLockTest(LockstepTest):
    def train_beside(self, run, before=()):
        return subprocess.run(
            [*before, BINARY, "train", self.experiment, "--run-dir", run, "--threads", "1",
             "--resume", "auto"], cwd=self.folder, env=self.environment(), text=True,
            capture_output=True)

    def folder_of_a_run(self, name):
        self.train(name, "--set", "training.epochs=1")
        return self.folder / name

    def assert_refused(self, done, holder):
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, r"another job trains in this run folder \(" + holder + r"\)")

    def test_the_beat_of_another_host_goes_on(self):
        run = self.folder_of_a_run("elsewhere")
        ended = threading.Event()

        def beat():
            for number in itertools.count():
                with open(run / "lock", "r+") as file:
                    file.write(f"process 7 on elsewhere\nbeat {number:<18}\n")
                if ended.wait(0.1):
                    return

        other = threading.Thread(target=beat)
        other.start()
        try:
            self.assert_refused(self.train_beside(run), "process 7 on elsewhere")
        finally:
            ended.set()
            other.join()

    def test_a_beat_that_stopped_keeps_nobody_out(self):
        run = self.folder_of_a_run("stopped")
        for sign, looked in (("beat 12", True), ("ended", False)):
            with self.subTest(sign):
                (run / "lock").write_text(f"process 7 on elsewhere\n{sign}\n")
                done = self.train_beside(run)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual("whether it lives" in done.stderr, looked, done.stderr)
                self.assertRegex((run / "lock").read_text(), r"^process \d+ on \S+\nended *\n$")

    def test_two_jobs_where_locks_show_nothing(self):
        # Once as if the lock were free, seen from another host; once without locks.
        other_host = ("unshare", "--uts", "sh", "-c", 'hostname nodeb; exec "$@"', "sh")
        for name, before in (("free", (*other_host, *NO_LOCKS, "inject=flock:retval=0")),
                             ("none", (*NO_LOCKS, "inject=flock:error=ENOLCK"))):
            with self.subTest(name):
                run = self.folder / name
                hold = self.hold("step", 3)
                job = self.start("train", self.experiment, "--run-dir", run, "--threads", 1,
                                 holds=[hold], ranks=None)
                self.assertTrue(job.wait_until(
                    lambda: (run / "lock").exists() and "beat" in (run / "lock").read_text()))
                self.assert_refused(self.train_beside(run, before), r"process \d+ on \S+")
                hold.reached(job)
                hold.go_on()
                done = job.end()
                self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
