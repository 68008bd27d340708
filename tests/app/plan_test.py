"""lockstep plan: a prediction for each world size, and what it refuses."""

import json
import unittest

from lockstep_run import LockstepTest


class PlanTest(LockstepTest):
    def test_table_of_world_sizes(self):
        arguments = ("plan", self.experiment, "--ranks", "1,2,8", "--network", "100:1",
                     "--ranks-per-node", 2, "--cores-per-node", 2)
        planned = json.loads(self.lockstep(*arguments, "--json", ranks=None).stdout)
        plans = planned["plans"]
        self.assertEqual([each["ranks"] for each in plans], [1, 2, 8])
        self.assertEqual([each["nodes"] for each in plans], [1, 1, 4])
        self.assertEqual([each["lanes"] for each in plans], [5, 5, 8])
        for each in plans:
            parts = each["compute"] + each["sum"] + each["update"]
            self.assertAlmostEqual(each["seconds_per_step"], parts)
            self.assertAlmostEqual(each["images_per_second"] * parts, 48)
        # Four nodes exchange messages: two phases of 100 us at the least.
        self.assertGreater(plans[2]["sum"], 200e-6)
        # Adam's two moments and the weights with their statistics, in floats.
        self.assertEqual(planned["checkpoint_bytes"] % 4, 0)
        table = self.lockstep(*arguments, ranks=None).stdout
        self.assertRegex(table, r"(?m)^ +8 +4 +8 .* %")
        self.assertIn("training.lanes is the most ranks", table)
        self.assertEqual(list((self.folder / "models").iterdir()), [])

    def test_refusals(self):
        cases = ((("--ranks", "1", "--network", "25Gbe"), 'did you mean "25GbE"'),
                 (("--ranks", "0"), "--ranks"),
                 (("--ranks", "two"), "--ranks"),
                 ((), "--ranks is required"))
        for arguments, expected in cases:
            done = self.run_binary("plan", self.experiment, *arguments, ranks=None)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertRegex(done.stderr, r"\Alockstep: [^\n]*\n\Z")
            self.assertIn(expected, done.stderr)
        done = self.run_binary("plan", self.experiment, "--ranks", "2", ranks=2)
        self.assertEqual((done.returncode, done.stderr), (
            2, "lockstep: plan measures one process and was started on 2 ranks\n"))


if __name__ == "__main__":
    unittest.main()
