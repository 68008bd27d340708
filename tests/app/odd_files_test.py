"""Files that are not what they were, or hold more than they should: other rows, several gzip
members, first lines without end."""

import gzip
import subprocess
import unittest
import zipfile

from lockstep_run import BINARY, LockstepTest


class OddFilesTest(LockstepTest):
    def refused(self, *arguments):
        done = subprocess.run([BINARY, *map(str, arguments)], cwd=self.folder, text=True,
                              env=self.environment(), capture_output=True)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, r"\Alockstep: [^\n]{,600}\n\Z")
        return done.stderr

    def test_other_rows_than_those_of_the_training(self):
        self.train("run")
        whole = self.train_csv.read_text()
        first, second, *rest = whole.splitlines()[1:]
        header = whole.splitlines()[0]
        self.train_csv.write_text("\n".join([header, second, first, *rest]) + "\n")
        try:
            for command in ("evaluate", "report"):
                self.assertIn("was trained on other rows", self.refused(command, self.folder / "run"))
        finally:
            self.train_csv.write_text(whole)
        self.lockstep("evaluate", self.folder / "run", ranks=None)

    def test_several_gzip_members(self):
        header, *rows = self.train_csv.read_text().splitlines(keepends=True)
        for name, parts in (("shorter", (header + "".join(rows[:600]), "".join(rows[600:]))),
                            ("longer", (header + rows[0], "".join(rows[1:])))):
            path = self.write(f"{name}.csv.gz", b"".join(gzip.compress(part.encode())
                                                         for part in parts))
            line = self.refused("train", self.experiment, "--set", f"data.train.path={path}")
            self.assertIn("several gzip members", line)

    def test_a_first_line_without_end(self):
        path = self.folder / "line.csv"
        with open(path, "wb") as file:
            file.truncate(65 << 20)
        packed = self.folder / "line.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(path, "train.csv")
        for more in ((f"data.train.path={path}",),
                     (f"data.train.path={packed}", "data.train.member=train.csv")):
            words = [word for value in more for word in ("--set", value)]
            self.assertIn("the first line has 68157440 bytes",
                          self.refused("train", self.experiment, *words))
        self.assertIn("expected an experiment", self.refused("train", path))


if __name__ == "__main__":
    unittest.main()
