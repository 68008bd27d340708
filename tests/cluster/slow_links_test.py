"""Jobs over hosts whose links are slow: they are waited for, and a host that stops is still found."""

import os
import signal
import time
import unittest

from hosts_case import HostsTest
from lockstep_run import EXPERIMENT

EXIT_PEER = 4


class SlowHostsTest(HostsTest):
    delay_seconds = 0.05

    def test_a_slow_network_changes_nothing(self):
        few = ("--set", "training.epochs=1", "--set", "data.validation.fraction=0.8")
        self.assertEqual(self.train_on("na:1,nb:1", "--threads", 1, *few),
                         self.expected_digest(*few))


class SlowLinkTest(HostsTest):
    """Links over which one step's gradients take 25 s."""

    names = ("na", "nb", "nc")
    rate = "12mbit"
    experiment_text = EXPERIMENT.replace("units: 16", "units: 60000")  # 38 MB of gradients
    limits = {"LOCKSTEP_SOFT_LIMIT_SECONDS": "8", "LOCKSTEP_HARD_LIMIT_SECONDS": "12"}
    one_step = ("--set", "training.epochs=1", "--set", "training.global_batch=160",
                "--set", "data.validation.fraction=0.8")

    def test_a_sum_that_takes_longer_than_a_rank_is_waited_for(self):
        done = self.trained_on("na:1,nb:1", "--threads", 1, *self.one_step, **self.limits)
        self.assertNotIn("waiting for", done.stdout + done.stderr)
        self.assertEqual(self.digest_of(done), self.expected_digest(*self.one_step))

    def test_a_host_that_has_nothing_to_send_waits_for_the_others(self):
        done = self.trained_on("na:1,nb:1,nc:1", "--threads", 1, *self.one_step, "--set",
                               "training.reduction=NATIVE", **self.limits)
        self.assertNotIn("waiting for", done.stdout + done.stderr)

    def test_a_host_that_stops_while_the_systems_still_carry_what_was_sent(self):
        before = self.net.bytes_sent("na")
        process = self.start("train", self.config, "--hosts", "na:1,nb:1", "--run-dir",
                             self.shared / "runs" / "stops", "--threads", 1, *self.one_step,
                             **self.limits)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        end = time.monotonic() + 400
        while self.net.bytes_sent("na") < before + 2_000_000:  # of the gradients
            self.assertIsNone(process.poll())
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        os.kill(self.rank_process(1), signal.SIGSTOP)
        _, errors = process.communicate(timeout=400)
        self.assertEqual(process.returncode, EXIT_PEER, errors)
        self.assertRegex(errors, r"(?m)^lockstep: waited \d+ s in: .*; late: nb, of which nothing "
                         "is heard any more$")


if __name__ == "__main__":
    unittest.main()
