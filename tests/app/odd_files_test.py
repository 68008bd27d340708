"""Files that are not what they were, or hold more than they should: other rows, several gzip
members, first lines without end."""

import gzip
import json
import struct
import subprocess
import unittest
import zipfile

from lockstep_run import BINARY, EXPERIMENT, LockstepTest


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
            self.assertIn("a line of 68157440 bytes",
                          self.refused("train", self.experiment, *words))
        self.assertIn("expected an experiment", self.refused("train", path))

    def test_control_characters_stay_off_the_terminal(self):
        names = ["\x1b]0;title\x07", "x\n  y: whole", "\u009b2J", "tab\t", "4"]
        metadata = {"\x1b[2J": "one\nmodel.safetensors: whole"}
        header = json.dumps({"__metadata__": metadata} | {
            name: {"dtype": "F32", "shape": [1], "data_offsets": [4 * i, 4 * i + 4]}
            for i, name in enumerate(names)}).encode()
        weights = self.write("forged.safetensors",
                             struct.pack("<Q", len(header)) + header + bytes(4 * len(names)))
        inspected = self.lockstep("inspect", weights).stdout
        self.assertIn("\n  x\\x0a  y: whole ", inspected)
        self.assertIn("\n    model.safetensors: whole\n", inspected)

        text = EXPERIMENT.replace("classes: 5",
                                  f"classes: 5 class_names: {json.dumps(names)}")
        experiment = self.write_experiment("named.textproto", text=text)
        done = self.lockstep("train", experiment, "--run-dir", self.folder / "named")
        evaluated = self.lockstep("evaluate", self.folder / "named").stdout
        for text in (inspected, done.stdout, evaluated):
            self.assertNotRegex(text, r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
        for text in (done.stdout, evaluated):
            self.assertIn("\\x1b]0;title\\x07  ", text)


if __name__ == "__main__":
    unittest.main()
