"""Several runs compared on one page, through the binary."""

import unittest

from report_page import ReportCase


class CompareTest(ReportCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.runs = [cls.train_once("slow", "--set", "optimizer.adam.learning_rate=0.0001"),
                    cls.train_once("fast"), cls.train_once("again", "--set", "seed=8")]

    def compare(self, *runs, ranks=1):
        out = self.folder / "compare.html"
        self.lockstep("report", *runs, "--out", out, ranks=ranks)
        return self.check_page(out.read_text())

    def test_results_and_differences(self):
        page = self.compare(*self.runs)
        lines = page.table("results")
        self.assertEqual([line[1] for line in lines], ["slow", "fast", "again"])
        accuracies = [self.metrics(run.name)[-1]["val_accuracy"] for run in self.runs]
        self.assertGreater(max(accuracies), accuracies[0])
        for line, accuracy in zip(lines, accuracies):
            star = " ★" if accuracy == max(accuracies) else ""
            self.assertEqual(line[2], f"{100 * accuracy:.2f}%{star}")
        self.assertEqual(page.table("settings"),
                         [["optimizer.adam.learning_rate", "0.0001", "0.01", "0.01"],
                          ["seed", "7", "7", "8"]])
        charts = [each for each in page.section("curves").iter("svg")]
        self.assertEqual(len(charts), 6)

    def test_equal_settings(self):
        page = self.compare(self.runs[1], self.runs[1])
        self.assertIn("None", "".join(page.section("settings").itertext()))

    def test_any_number_of_ranks(self):
        texts = {self.compare(*self.runs, ranks=ranks).text for ranks in (None, 1, 3)}
        self.assertEqual(len(texts), 1)


if __name__ == "__main__":
    unittest.main()
