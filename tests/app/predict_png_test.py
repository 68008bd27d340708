"""Predictions of PNG files, good and bad ones."""

import csv
import fcntl
import json
import os
import pty
import random
import re
import shutil
import struct
import subprocess
import termios
import unittest
import zlib

from lockstep_run import BINARY, CLASSES, SIDE, TIME_LIMIT_SECONDS, LockstepTest, csv_text
from png_writer import (DEPTHS, GREY, GREY_ALPHA, PALETTE, RGB, RGB_ALPHA, SIGNATURE, chunk,
                        grey_png, header, png)

LONGER_SIDE = 8  # of every shape, of the 12 pixels of an image


def covers(label, x, y, thickness=0.25):
    """Whether the shape of a class covers a place of the unit square."""
    near = {0: abs(y - 0.5) < thickness / 2,
            1: abs(x - 0.5) < thickness / 2,
            2: min(x, y, 1 - x, 1 - y) < thickness / 2,
            3: abs(x - y) < thickness / 1.4,
            4: abs(x + y - 1) < thickness / 1.4}
    return near[label] and 0 <= x < 1 and 0 <= y < 1


def drawn(label, width, height, side, left, top, inside=255, outside=0, thickness=0.25):
    """levels[y][x] of a picture with a shape of `side` pixels."""
    return [[inside if covers(label, (x + 0.5 - left) / side, (y + 0.5 - top) / side, thickness)
             else outside for x in range(width)] for y in range(height)]


def training_rows(count):
    numbers = random.Random(5)
    rows = []
    for _ in range(count):
        label = int(numbers.random() * CLASSES)
        place = [1 + int(numbers.random() * 3) for _ in range(2)]
        levels = drawn(label, SIDE, SIDE, LONGER_SIDE, *place,
                       thickness=0.2 + 0.15 * numbers.random())
        rows.append((label, [level for row in levels for level in row]))
    return rows


def metadata(path):
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8:8 + size])["__metadata__"]


class PredictPngTest(LockstepTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.train_rows = training_rows(997)
        cls.shapes = cls.write_experiment(
            "shapes.textproto", cls.write("shapes.csv", csv_text(cls.train_rows)))
        cls.run_dir = cls.folder / "run"
        done = cls.run_binary("train", cls.shapes, "--run-dir", cls.run_dir, "--set",
                              "training.epochs=6")
        assert done.returncode == 0, done.stderr
        cls.weights = cls.run_dir / "checkpoints" / "best" / "weights.safetensors"

    def by_json(self, *files, status=0, ranks=None, model=None):
        """The predictions by file, and the lines on stderr."""
        done = self.run_binary("predict", model or self.run_dir, *files, "--json", ranks=ranks)
        self.assertEqual(done.returncode, status, done.stderr)
        found = json.loads(done.stdout)
        for each in found:
            self.assertEqual(each["class"],
                             max(each["probabilities"], key=each["probabilities"].get))
            self.assertAlmostEqual(sum(each["probabilities"].values()), 1)
        return found, done.stderr.splitlines()

    def expected(self, levels):
        """The probabilities of an image by way of a CSV file."""
        rows = self.write("image.csv", csv_text([(0, sum(levels, []))], labelled=False))
        out = self.folder / "image.out"
        self.lockstep("predict", self.run_dir, "--data", rows, "--out", out, ranks=None)
        return [float(value) for value in list(csv.reader(out.read_text().splitlines()))[1][2:]]

    def assert_predicted(self, prediction, expected):
        for value, wanted in zip(prediction["probabilities"].values(), expected, strict=True):
            self.assertAlmostEqual(value, wanted, delta=1e-6, msg=prediction["file"])

    def test_framing_of_the_training_rows(self):
        expected = {"framed": True, "background": 0.0, "foreground": 255.0,
                    "longer_side_pixels": LONGER_SIDE}
        self.assertEqual(json.loads(metadata(self.weights)["lockstep.framing"]), expected)
        self.train("three", "--set", "training.epochs=1", ranks=3, experiment=self.shapes)
        other = self.folder / "three" / "checkpoints" / "best" / "weights.safetensors"
        self.assertEqual(metadata(other)["lockstep.framing"],
                         metadata(self.weights)["lockstep.framing"])
        self.train("noise", "--set", "training.epochs=1")
        other = self.folder / "noise" / "checkpoints" / "best" / "weights.safetensors"
        self.assertEqual(json.loads(metadata(other)["lockstep.framing"]), {"framed": False})

    def test_every_kind_of_file(self):
        # All kinds of the same image give what the CSV file gives.
        levels = drawn(3, SIDE, SIDE, LONGER_SIDE, 1, 2)
        files = [self.write(f"kind-{colour}-{depth}-{interlaced}.png",
                            grey_png(levels, colour, depth, interlaced))
                 for colour in DEPTHS for depth in DEPTHS[colour] for interlaced in (False, True)]
        found, errors = self.by_json(*files)
        self.assertEqual(errors, [])
        self.assertEqual([each["file"] for each in found], [str(file) for file in files])
        expected = self.expected(levels)
        for each in found:
            self.assert_predicted(each, expected)

    def test_every_level_of_grey(self):
        inner = range(1, SIDE - 1)
        levels = [[(x * 21 + y * 89) % 256 if x in inner and y in inner else 0
                   for x in range(SIDE)] for y in range(SIDE)]
        files = [self.write(f"level-{colour}-{depth}.png", grey_png(levels, colour, depth))
                 for colour in DEPTHS for depth in DEPTHS[colour] if depth >= 8]
        expected = self.expected(levels)
        found, _ = self.by_json(*files)
        self.assertEqual(len(found), 9)
        for each in found:
            self.assert_predicted(each, expected)

    def test_transparency_is_white(self):
        levels = drawn(2, SIDE, SIDE, LONGER_SIDE, 2, 2)
        ink = [[level == 255 for level in row] for row in levels]
        clear_grey = chunk(b"tRNS", struct.pack(">H", 3))
        clear_red = chunk(b"tRNS", struct.pack(">HHH", 9, 0, 0))
        palette = chunk(b"PLTE", bytes([7, 7, 7, 0, 0, 0])) + chunk(b"tRNS", bytes([0, 255]))
        kinds = {
            "alpha": png([[(0, 255 * each) for each in row] for row in ink], GREY_ALPHA),
            "deep": png([[(0, 0, 0, 65535 * each) for each in row] for row in ink], RGB_ALPHA, 16),
            "grey": png([[(0 if each else 3,) for each in row] for row in ink], GREY, 4,
                        extra=clear_grey),
            "red": png([[(0, 0, 0) if each else (9, 0, 0) for each in row] for row in ink], RGB,
                       extra=clear_red),
            "palette": png([[(int(each),) for each in row] for row in ink], PALETTE, 1,
                           extra=palette),
        }
        files = [self.write(f"clear-{name}.png", content) for name, content in kinds.items()]
        expected = self.expected(levels)  # black on white is inverted
        for each in self.by_json(*files)[0]:
            self.assert_predicted(each, expected)

    def test_pictures_of_any_size_and_colour(self):
        files, labels = [], []
        for label in range(CLASSES):
            for number, (inside, outside) in enumerate(((0, 255), (255, 0), (90, 160))):
                levels = drawn(label, 143, 97, 61, 70, 20, inside, outside)
                files.append(self.write(f"shape-{label}-{number}.png", grey_png(levels)))
                labels.append(str(label))
        found, _ = self.by_json(*files, ranks=2)
        self.assertEqual([each["class"] for each in found], labels)
        for first in range(0, len(found), 3):  # colours make no difference
            values = list(found[first]["probabilities"].values())
            self.assert_predicted(found[first + 1], values)
            self.assert_predicted(found[first + 2], values)

    def test_odd_sizes(self):
        wide = self.write("wide.png", grey_png([[0] * 9000 + [255] * 2000 + [0] * 9000] * 3))
        high = self.write("high.png", grey_png([[x % 3 * 100] for x in range(5000)], depth=8))
        dot = self.write("dot.png", grey_png([[255]]))
        huge = self.write("huge.png", SIGNATURE + header(8001, 8000, RGB, 16) + chunk(b"IDAT", b"")
                          + chunk(b"IEND", b""))
        # Over a million rows, where libpng has a limit of its own.
        rows = (b"\0\0" * 500_000) + (b"\0\xff" * 48_576) + (b"\0\0" * 500_000)
        tower = self.write("tower.png", SIGNATURE + header(1, 1_048_576, GREY, 8)
                           + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
        far = self.write("far.png", SIGNATURE + header(2**31 - 1, 2**31 - 1, GREY, 1)
                         + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
        found, errors = self.by_json(wide, dot, high, huge, tower, far, status=2)
        self.assertEqual([each["file"] for each in found], [str(wide), str(high), str(tower)])
        self.assertEqual(len(errors), 3)
        self.assertIn("far.png: 2147483647 x 2147483647 pixels", errors[2])
        self.assertIn("dot.png: a blank picture", errors[0])
        self.assertIn("huge.png: 8001 x 8000 pixels", errors[1])

    def test_files_that_are_not_whole(self):
        levels = drawn(1, 40, 30, 20, 9, 7)
        content = grey_png(levels, RGB)
        numbers = random.Random(3)
        cases = {f"cut-{size}": content[:size]
                 for size in numbers.sample(range(1, len(content)), 35)}
        for name, place in (("header", 29), ("data", content.index(b"IEND") - 8)):
            changed = bytes([content[place] ^ 1])
            cases[f"sum-{name}"] = content[:place] + changed + content[place + 1:]
        cases |= {"empty": b"", "text": b"not a picture\n" * 9, "signature": SIGNATURE,
                  "jpeg": b"\xff\xd8\xff\xe0" + content, "twice-cut": content[:50] * 2,
                  "no-palette": png([[(1,)]], PALETTE, 1), "depth": png([[(1,)]], GREY, 3)}
        files = [self.write(f"{name}.png", each) for name, each in cases.items()]
        files += [self.folder, self.folder / "nowhere.png"]
        found, errors = self.by_json(*files, status=2)
        self.assertEqual(found, [])
        for file, line in zip(files, errors, strict=True):
            self.assertRegex(line, rf"\Alockstep: {re.escape(str(file))}: \S")

    def test_files_with_flipped_bits(self):
        # Each gives a prediction or a line.
        content = grey_png(drawn(4, 23, 31, 20, 1, 2), RGB_ALPHA, interlaced=True)
        numbers = random.Random(4)
        files = []
        for number in range(60):
            damaged = bytearray(content)
            for _ in range(1 + number % 3):
                damaged[numbers.randrange(8, len(content))] ^= 1 << numbers.randrange(8)
            files.append(self.write(f"flipped-{number}.png", bytes(damaged)))
        found, errors = self.by_json(*files, status=2)
        named = [each["file"] for each in found]
        named += [re.match(r"lockstep: (.*?\.png): ", line)[1] for line in errors]
        self.assertEqual(sorted(named), sorted(map(str, files)))

    def test_the_good_ones_of_several(self):
        good = [self.write(f"good-{label}.png", grey_png(drawn(label, 50, 50, 30, 9, 9)))
                for label in range(2)]
        bad = self.write("bad.png", b"?")
        for ranks in (None, 1, 3):
            found, errors = self.by_json(good[0], bad, good[1], status=2, ranks=ranks)
            self.assertEqual([each["class"] for each in found], ["0", "1"])
            self.assertEqual(len(errors), 1)
            self.assertIn("bad.png", errors[0])

    def test_text(self):
        file = self.write("bar.png", grey_png(drawn(0, SIDE, SIDE, LONGER_SIDE, 2, 2)))
        for top in (1, 5):
            lines = self.lockstep("predict", self.run_dir, file, "--top", top).stdout.splitlines()
            self.assertRegex(lines[0], rf"\A{re.escape(str(file))}: 0  \d+\.\d\d%\Z")
            self.assertEqual(len(lines), 1 + SIDE // 2)
            # Rows 5 and 6 are light: the lower of the third line, the upper of the fourth.
            self.assertEqual([line[2:2 + SIDE].strip() for line in lines[1:]],
                             ["", "", "=" * 8, "=" * 8, "", ""])
            self.assertEqual(sum("%" in line for line in lines[1:]), top)
        three = self.lockstep("predict", self.run_dir, file, ranks=None).stdout.splitlines()
        self.assertEqual(sum("%" in line for line in three[1:]), 3)

    def on_terminal(self, *arguments, **environment):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        settings = {"TERM": "xterm", "COLORTERM": "", "NO_COLOR": ""} | environment
        process = subprocess.Popen([BINARY, "predict", *map(str, arguments)], cwd=self.folder,
                                   env=self.environment() | settings, stdout=slave)
        os.close(slave)
        text = b""
        try:
            while part := os.read(master, 65536):
                text += part
        except OSError:  # the other end is closed
            pass
        os.close(master)
        self.assertEqual(process.wait(TIME_LIMIT_SECONDS), 0)
        return text.decode()

    def test_colours_on_a_terminal(self):
        file = self.write("colour.png", grey_png(drawn(0, SIDE, SIDE, LONGER_SIDE, 2, 2)))
        text = self.on_terminal(self.run_dir, file, COLORTERM="truecolor")
        self.assertIn("\x1b[38;2;0;0;0;48;2;255;255;255m▀", text)
        text = self.on_terminal(self.run_dir, file)
        self.assertIn("\x1b[38;5;16;48;5;231m▀", text)
        for settings in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            self.assertNotIn("\x1b", self.on_terminal(self.run_dir, file, **settings))

    def test_without_a_checkpoint(self):
        file = self.write("alone.PNG", grey_png(drawn(1, 50, 50, 30, 9, 9)))
        done = self.run_binary("predict", file, "--json", ranks=2)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"\Alockstep: [^\n]*models/digits\.safetensors\n\Z")
        (self.folder / "models").mkdir()
        shutil.copy(self.weights, self.folder / "models" / "digits.safetensors")
        found = json.loads(self.lockstep("predict", file, "--json").stdout)
        self.assertEqual([each["class"] for each in found], ["1"])

    def test_without_a_checkpoint_and_a_root(self):
        file = self.write("no-root.png", grey_png(drawn(1, 50, 50, 30, 9, 9)))
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "build").mkdir()
        program = shutil.copy(BINARY, elsewhere / "build")
        environment = {key: value for key, value in self.environment().items()
                       if key != "LOCKSTEP_ROOT"}

        def predict():
            return subprocess.run([program, "predict", file, "--json"], cwd="/", text=True,
                                  env=environment, capture_output=True, timeout=TIME_LIMIT_SECONDS)

        done = predict()
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"there is no models/digits.safetensors or {elsewhere}/build/models/digits."
                      f"safetensors or {elsewhere}/models/digits.safetensors\n", done.stderr)
        (elsewhere / "models").mkdir()
        shutil.copy(self.weights, elsewhere / "models" / "digits.safetensors")
        done = predict()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([each["class"] for each in json.loads(done.stdout)], ["1"])

    def test_a_first_word_of_another_kind(self):
        """Is a picture too, and not a checkpoint."""
        levels = drawn(1, 50, 50, 30, 9, 9)
        body = bytes(level for line in levels for level in line)
        file = self.write("first.pgm", b"P5 50 50 255\n" + body)
        done = self.run_binary("predict", file, "--top", 0, ranks=None)
        self.assertIn("--top", done.stderr)
        found, _ = self.by_json(file)
        as_png, _ = self.by_json(self.write("first.png", grey_png(levels)))
        self.assertEqual(found[0]["probabilities"], as_png[0]["probabilities"])
        done = self.run_binary("predict", file, "--out", "x.csv", ranks=None)
        self.assertIn("--out goes with rows", done.stderr)

    def test_usage(self):
        file = self.write("usage.png", grey_png(drawn(1, 50, 50, 30, 9, 9)))
        for arguments, words in (((self.run_dir, file, "--out", "x.csv"), "--out"),
                                 ((self.run_dir, file, "--data", "x.csv"), "--data"),
                                 ((self.run_dir, file, "--top", 0), "--top"),
                                 ((self.run_dir,), "--out FILE"),
                                 ((self.run_dir, "--json", "--out", "x.csv"), "--json"),
                                 ((), "CHECKPOINT")):
            done = self.run_binary("predict", *arguments, ranks=None)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertRegex(done.stderr, r"\Alockstep: [^\n]*\n\Z")
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    unittest.main()
