"""lockstep inspect: data, experiments and checkpoints, as text and as JSON."""

import fcntl
import gzip
import json
import os
import pty
import re
import statistics
import struct
import subprocess
import termios
import unittest
import zipfile

from lockstep_run import BINARY, CLASSES, PIXELS, ROWS, SIDE, LockstepTest, csv_text

# From the experiment's layers, by hand: (output, parameters, MACs).
LAYERS = [
    ([10, 10, 6], 6 * 9 + 6, 10 * 10 * 6 * 9),
    ([10, 10, 6], 4 * 6, 0),
    ([5, 5, 6], 0, 0),
    ([5, 5, 6], 0, 0),
    ([1, 1, 150], 0, 0),
    ([1, 1, 16], 150 * 16 + 16, 150 * 16),
    ([1, 1, 16], 0, 0),
    ([1, 1, 5], 16 * 5 + 5, 16 * 5),
]


class InspectTest(LockstepTest):
    def json_of(self, *arguments, status=0):
        done = self.run_binary("inspect", *arguments, "--json", ranks=None)
        self.assertEqual(done.returncode, status, done.stderr)
        return json.loads(done.stdout)

    def text_of(self, *arguments):
        return self.lockstep("inspect", *arguments, ranks=None).stdout


class DataTest(InspectTest):
    def assert_train_rows(self, found):
        labels = [label for label, _ in self.train_rows]
        levels = [level for _, pixels in self.train_rows for level in pixels]
        self.assertEqual((found["kind"], found["rows"], found["rows_are_estimated"]),
                         ("data", ROWS, False))
        self.assertEqual(found["shape"], [SIDE, SIDE, 1])
        self.assertEqual(found["label_counts"],
                         {str(label): labels.count(label) for label in range(CLASSES)})
        self.assertEqual((found["pixel_least"], found["pixel_most"]), (min(levels), max(levels)))
        self.assertAlmostEqual(found["pixel_mean"], statistics.fmean(levels), places=6)
        self.assertAlmostEqual(found["pixel_deviation"], statistics.pstdev(levels), places=6)

    def test_csv_file(self):
        found = self.json_of(self.train_csv)
        self.assert_train_rows(found)
        self.assertEqual((found["format"], found["columns"]), ("CSV", PIXELS + 1))
        self.assertEqual(found["bytes"], self.train_csv.stat().st_size)

    def test_without_labels(self):
        found = self.json_of(self.test_csv)
        self.assertEqual((found["labelled"], found["columns"], found["rows"]),
                         (False, PIXELS, 301))
        self.assertEqual(found["label_counts"], {})
        self.assertIn("labels   none\n", self.text_of(self.test_csv))

    def test_member_of_a_zip(self):
        path = self.folder / "rows.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a/train.csv", self.train_csv.read_bytes())
        found = self.json_of(path, "--member", "a/train.csv")
        self.assert_train_rows(found)
        self.assertEqual(found["name"], f"{path}:a/train.csv")
        done = self.run_binary("inspect", path, ranks=None)
        self.assertEqual(done.returncode, 2)
        self.assertIn("a/train.csv", done.stderr)

    def test_idx(self):
        images = struct.pack(">IIII", 0x803, ROWS, SIDE, SIDE)
        images += b"".join(bytes(pixels) for _, pixels in self.train_rows)
        labels = struct.pack(">II", 0x801, ROWS) + bytes(label for label, _ in self.train_rows)
        path = self.write("images.gz", gzip.compress(images))
        found = self.json_of(path, "--labels", self.write("labels.gz", gzip.compress(labels)))
        self.assert_train_rows(found)
        self.assertEqual(found["format"], "IDX")

    def test_other_name_of_the_label(self):
        path = self.write("y.csv", csv_text(self.train_rows).replace("label", "y", 1))
        self.assert_train_rows(self.json_of(path, "--label-column", "y"))

    def test_wrong_name_of_the_label(self):
        for data in (self.train_csv, self.test_csv):
            done = self.run_binary("inspect", data, "--label-column", "lable", ranks=None)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(f'{data}:1:1: no column "lable" in the header', done.stderr)
            self.assertEqual('did you mean "label"?' in done.stderr, data == self.train_csv)
            self.assertEqual(done.stderr.count("\n"), 1)

    def test_images_are_drawn(self):
        rows = [(3, [255 if x == y else 0 for y in range(4) for x in range(4)])]
        text = "label," + ",".join(f"p{i}" for i in range(16)) + "\n"
        path = self.write("one.csv", text + ",".join(map(str, [3, *rows[0][1]])) + "\n")
        printed = self.text_of(path)
        self.assertIn("\n==  \n  ==\n3   \n\n", printed)  # two rows a line
        self.assertIn("images   16 pixels each: 4x4x1", printed)

    def test_bad_data(self):
        path = self.write("bad.csv", csv_text(self.train_rows[:3]).replace(",", ";", 1))
        for arguments, message in (([path], "bad.csv:"), ([self.folder / "none"], "no such file"),
                                   ([self.folder / "empty.csv"], "the file is empty")):
            (self.folder / "empty.csv").write_text("")
            done = self.run_binary("inspect", *arguments, ranks=None)
            self.assertEqual(done.returncode, 2)
            self.assertIn(message, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)


class ExperimentTest(InspectTest):
    def test_layers(self):
        found = self.json_of(self.experiment)
        self.assertEqual([(layer["output"], layer["parameters"], layer["multiply_adds"])
                          for layer in found["layers"]], LAYERS)
        self.assertEqual(found["parameters"], sum(layer[1] for layer in LAYERS))
        self.assertEqual(found["trainable_parameters"], found["parameters"] - 2 * 6)
        self.assertEqual(found["multiply_adds"], sum(layer[2] for layer in LAYERS))
        self.assertEqual(found["fields"]["training.global_batch"], "48")
        text = self.text_of(self.experiment)
        for kind, (_, parameters, macs) in zip(["conv 6 3x3 relu", "batch norm"], LAYERS):
            self.assertRegex(text, rf"(?m)^ *\d  {kind} .* {parameters} +{macs}$")
        self.assertRegex(text, r"(?m)^  learning_rate: 0\.01 +# tiny\.textproto:\d+$|"
                               r"learning_rate: 0\.01 +# tiny\.textproto:\d+")

    def test_overrides(self):
        found = self.json_of(self.experiment, "--set", "model.layer[0].conv.filters=12")
        self.assertEqual(found["layers"][0]["multiply_adds"], 2 * LAYERS[0][2])

    def refused(self, *arguments):
        done = self.run_binary("inspect", *arguments, ranks=None)
        self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1))
        return done.stderr

    def test_rows_of_branches_and_shortcuts_are_marked(self):
        blocks = self.write("blocks.textproto", """name: "blocks"
model {
  layer { residual {
    layer { conv { filters: 4 padding: SAME } }
    shortcut { layer { conv { filters: 4 kernel: 1 } } }
  } }
  layer { branches {
    branch { layer { conv { filters: 3 padding: SAME } } layer { batch_norm {} } }
    branch { layer { max_pool { size: 3 stride: 1 padding_pixels: 1 } } }
  } }
  layer { avg_pool { global: true } }
  layer { logits {} }
}
""")
        words = (blocks, "--set", "data.classes=7")
        titles = re.findall(r"(?m)^[ \d]{2}  ( *[a-z].*?\S)  +\d", self.text_of(*words))
        self.assertEqual(titles[1:-1], [  # below the input
            "residual", "  conv 4 3x3", "  shortcut: conv 4 1x1",
            "branches", "  branch 0: conv 3 3x3", "  branch 0: batch norm",
            "  branch 1: max pool 3x3", "global average pool"])
        self.assertEqual([layer["part"] for layer in self.json_of(*words)["layers"]][2:6],
                         ["shortcut", "", "branch 0", "branch 0"])
        # Without data, what is missing and what shows the network all the same.
        self.assertEqual(self.refused(blocks), f"lockstep: {blocks}: has neither data.classes nor "
                         "data.train, where they are counted; --set data.classes=10 shows the "
                         "network of 10 classes\n")
        self.assertRegex(self.refused(blocks, "--set", "data.train.path=no.csv"),
                         r"\Alockstep: .*/blocks\.textproto: has no data\.classes, and they cannot be "
                         r"counted: .*/no\.csv: .*; --set data\.classes=10 shows the network of 10 "
                         r"classes\n\Z")

    def test_errors_of_the_network_name_their_line(self):
        path = self.write("dense.textproto", 'name: "dense"\nmodel {\n  layer { dense { units: 7 } }\n}\n')
        self.assertIn("/dense.textproto:3 with its overrides: model.layer[0] (dense): its input is",
                      self.refused(path, "--set", "data.classes=7"))


class CheckpointTest(InspectTest):
    def test_checkpoints(self):
        digest = self.train("run", "--set", "training.epochs=1")
        run = self.folder / "run"
        found = self.json_of(run)
        self.assertEqual((found["kind"], found["best"]), ("run", "step-00000017"))
        (checkpoint,) = found["checkpoints"]
        self.assertEqual((checkpoint["whole"], checkpoint["step"], checkpoint["epoch"]),
                         (True, 17, 1))
        self.assertEqual(checkpoint["weights_digest"], f"xxh3:{digest}")
        folder = run / "checkpoints" / "step-00000017"
        self.assertEqual(self.json_of(folder), checkpoint)
        weights = self.json_of(folder / "weights.safetensors")
        self.assertEqual(weights["tensors"][0], {"name": "0.conv.weight", "shape": [6, 3, 3, 1]})
        self.assertIn("lockstep.experiment", weights["metadata"])
        self.assertEqual(checkpoint["files"]["weights.safetensors"],
                         (folder / "weights.safetensors").stat().st_size)
        (folder / "state.json").write_bytes(b"{}")
        found = self.json_of(run, status=2)
        self.assertFalse(found["checkpoints"][0]["whole"])


class ColourTest(InspectTest):
    def on_terminal(self, *arguments, **settings):
        """What the program prints on a terminal."""
        keeper, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        with subprocess.Popen([BINARY, *map(str, arguments)], stdin=subprocess.DEVNULL,
                              stdout=terminal, stderr=terminal, cwd=self.folder,
                              env={**self.environment(), "TERM": "xterm", **settings}) as process:
            os.close(terminal)
            content = b""
            try:
                while part := os.read(keeper, 65536):
                    content += part
            except OSError:  # the other side is closed
                pass
            process.wait()
        os.close(keeper)
        return content

    def test_colours_only_on_a_terminal_and_not_with_no_color(self):
        self.assertNotIn("\x1b", self.text_of(self.train_csv))
        for command in (["inspect", self.train_csv],
                        ["train", self.experiment, "--set", "training.epochs=1", "--run-dir",
                         "terminal", "--resume", "never"]):
            self.assertIn(b"\x1b[", self.on_terminal(*command))
            for settings in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
                self.assertNotRegex(self.on_terminal(*command, **settings), rb"\x1b\[[\d;]*m")

    def test_help_has_no_colours(self):
        self.assertNotIn(b"\x1b", self.on_terminal("train", "--help"))


if __name__ == "__main__":
    unittest.main()
